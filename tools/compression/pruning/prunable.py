"""A bundle that was trained here and may lose units: its network, its data, what units are worth.

Every method of pruning begins with it, and so does whoever searches how much to prune.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from models.bundle import load_bundle
from models.families import build
from models.weights import unpack
from tools.compression.pruning.asked import recipe_of
from tools.compression.pruning.bundle import made_bundle
from tools.compression.pruning.importance import magnitude, taylor
from tools.compression.pruning.lessons import lessons_of
from tools.compression.pruning.structured import choose, remove
from tools.compression.pruning.tuning import Tuner, of_network
from tools.compression.pruning.units import groups_of
from tools.training.course import Course

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from tools.compression.pruning.bundle import Made
    from tools.compression.pruning.importance import Importance
    from tools.compression.pruning.lessons import Lessons
    from tools.compression.pruning.structured import Amounts, Kept


class Prunable:
    """The bundle at ``path``; its ``folder`` is where trainings are kept on their way.

    Args:
        path: of the bundle.
        folder: of trainings.
        paths: of recordings that it was trained on, none for the simulated person; one that
            selects is judged on further ones.
        importance: of units.
        n_batches: that calibrate importance.
        n_steps: of fine-tuning; follow from the recipe where None.
        rate: of fine-tuning; likewise.
        cache: where filtered recordings are.

    Raises:
        BundleError: the bundle holds no network of ours, was not trained here, or nothing is
            known of what can be removed of it.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        *,
        paths: tuple[Path, ...] = (),
        importance: Importance = "taylor",
        n_batches: int = 8,
        n_steps: int | None = None,
        rate: float | None = None,
        cache: Path | None = None,
    ) -> None:
        self.bundle = load_bundle(path)
        self.network: Any = unpack(self.bundle)
        self.recipe = recipe_of(self.bundle, self.network)
        self.family = self.recipe.family
        self.groups = groups_of(self.family, self.network.settings)
        self.folder, self.importance, self.n_batches = folder, importance, n_batches
        self._path, self._paths, self._cache = path, paths, cache
        self._n_steps, self._rate = n_steps, rate

    @cached_property
    def lessons(self) -> Lessons:
        """What it was trained on, and is judged on; takes a while to make.

        Raises:
            UsageError: simulated and recorded data are mixed up.
            RecordingError: the recordings cannot be used, or are not what the bundle hears.
        """
        course = Course(self.recipe, self._paths, self.folder, cache=self._cache)
        return lessons_of(self._path, self.bundle, self.network, course)

    @property
    def n_steps(self) -> int:
        """Of fine-tuning."""
        share = self.lessons.share
        return self._n_steps or max(1, round(share * self.recipe.training.n_steps))

    @property
    def rate(self) -> float:
        """Of fine-tuning."""
        return self._rate or self.lessons.share * self.recipe.training.rate

    @cached_property
    def tuner(self) -> Tuner:
        """Trains what is left, the network itself being the teacher."""
        return Tuner(self.recipe, self.lessons, self.folder, teacher=self.network)

    def scores(self, network: Any) -> dict[str, Tensor]:
        """Return how much each unit of ``network`` is worth."""
        groups = groups_of(self.family, network.settings)
        if self.importance == "magnitude":
            return magnitude(network, groups)
        learner = self.tuner.learner(copy.deepcopy(network), is_taught=False)
        return taylor(learner, groups, self.tuner.onward(), n_batches=self.n_batches)

    def chosen(self, network: Any, amounts: Amounts, of: Mapping[str, int] | None = None) -> Kept:
        """Return the units that stay of ``network``, shares being of what it has, or ``of``."""
        return choose(
            groups_of(self.family, network.settings), self.scores(network), amounts, of=of
        )

    def cut(self, amounts: Amounts) -> Any:
        """Return the network without ``amounts``, as it is."""
        return remove(self.network, self.family, choose(self.groups, self._worth, amounts))

    @cached_property
    def _worth(self) -> dict[str, Tensor]:
        """How much each unit of the network itself is worth: the same for all amounts."""
        return self.scores(self.network)

    def tuned(self, network: Any, *, name: str) -> Any:
        """Return ``network`` fine-tuned for all the steps; the training is kept as ``name``."""
        return self.tuner.tune(network, name=name, n_steps=self.n_steps, rate=self.rate)

    def held_batches(self) -> list[Any]:
        """Return batches that were not learnt from, where there are any, nor calibrated with."""
        examples, first = self.lessons.validation, 0
        if examples is None:
            examples, first = self.tuner.onward(), self.n_batches
        return [examples.batch(first + k, progress=1.0) for k in range(self.n_batches)]

    def from_scratch(self, like: Any, *, name: str) -> Any:
        """Return a network of the size of ``like``, trained from nothing for all that time."""
        seed = self.recipe.training.seed + 1
        fresh = build(self.family, msgspec.to_builtins(like.settings), seed=seed)
        return self.tuner.train_anew(fresh, name=name, n_steps=self.n_scratch)

    @property
    def n_scratch(self) -> int:
        """Steps from scratch: those of the original and of fine-tuning, or it would be unfair."""
        return self.recipe.training.n_steps + self.n_steps

    def scratch_said(self) -> str:
        """Return how the network from scratch was trained, in a sentence."""
        return (
            f"From scratch had as many steps as training and fine-tuning, {self.n_scratch}, and no"
            " teacher."
        )

    def made(
        self,
        name: str,
        network: Any,
        *,
        sparsity: float = 0.0,
        latency_ms: Mapping[str, float] | None = None,
    ) -> Made:
        """Return manifest and files of a bundle of ``network``, with figures where measured.

        Raises:
            ExportError: the exported model does not compute what the network computes.
        """
        recipe = of_network(self.recipe, network)
        return made_bundle(
            name,
            self.bundle,
            network,
            recipe,
            self.lessons.exports(recipe, network),
            sparsity=sparsity,
            latency_ms=dict(latency_ms or {}),
        )
