"""Fine-tuning after pruning: the house's own training goes on, with the original as a teacher."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch.nn import functional

from tools.console.progress import progress as progress_bar
from tools.training.fabric import make_fabric
from tools.training.learner import CtcLearner
from tools.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from models.network import CtcNetwork
    from tools.compression.pruning.lessons import Lessons
    from tools.training.data.examples import Batch, Examples
    from tools.training.learner import CtcLearnerSettings, Learner
    from tools.training.recipe import Recipe

TEACHER_WEIGHT = 2.0
"""How much a frame's divergence from the original counts beside the text, or a window's beside its
label."""


DECIDED = frozenset({"n_inputs", "n_symbols", "n_samples", "rate_hz"})
"""Settings of a network that the data decide, and no recipe."""


class TaughtCtcLearner(CtcLearner):
    """A network that learns by CTC, and from each frame of the network that it was made of.

    Timing is not learnt: the head for it is gone, and the teacher's frames say more.
    """

    def __init__(
        self, network: CtcNetwork, settings: CtcLearnerSettings, *, teacher: CtcNetwork, seed: int
    ) -> None:
        settings = msgspec.structs.replace(settings, timing_weight=0.0)
        super().__init__(network, settings, seed=seed)
        self._teacher = (teacher.eval(),)  # in a tuple: its weights are not this learner's

    def loss(self, batch: Batch, *, progress: float) -> Tensor:
        """Return nats a symbol, and those by which frames differ from the teacher's."""
        loss, scores = self.loss_and_scores(batch)  # (), (B, F, V)
        apart = self._apart(batch, functional.log_softmax(scores, dim=2))
        self.parts["teacher"] = apart.detach()
        return loss + TEACHER_WEIGHT * apart

    def _apart(self, batch: Batch, log_probs: Tensor) -> Tensor:
        """Return the mean divergence of frames: of each row's frames, then of rows."""
        (teacher,) = self._teacher
        samples = self.tensor(batch.samples)  # (B, T, C)
        with torch.no_grad():
            wanted = teacher(samples, *teacher.initial_state(len(samples)))[0]  # (B, F, V)
        nats = (wanted.exp() * (wanted - log_probs)).sum(dim=2)  # (B, F)
        n_frames = self.tensor(batch.n_frames)[:, None]  # (B, 1)
        counts = torch.arange(nats.shape[1]) < n_frames  # (B, F)
        apart: Tensor = ((nats * counts).sum(dim=1, keepdim=True) / n_frames).mean()
        return apart


@dataclass(frozen=True, slots=True)
class Onward:
    """The examples as they go on behind the end of a training, as hard as they were there."""

    examples: Examples
    first: int

    @property
    def n_batch(self) -> int:
        """Rows of a batch."""
        return self.examples.n_batch

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Any:
        """Return the batch of ``step`` after the first; ``progress`` makes no difference."""
        return self.examples.batch(self.first + step, progress=1.0, rows=rows)


@dataclass(frozen=True, slots=True)
class Tuner:
    """Trains what pruning left. ``folder`` is where trainings are kept on their way."""

    recipe: Recipe
    lessons: Lessons
    folder: Path
    teacher: Any | None = None

    def learner(self, network: Any, *, is_taught: bool = True) -> Learner:
        """Return a learner of ``network`` itself, taught by the original where known how."""
        teacher = self.teacher if is_taught else None
        return self.lessons.learner(of_network(self.recipe, network), network, teacher=teacher)

    def onward(self) -> Onward:
        """Return the examples behind the end of the training that was."""
        return Onward(self.lessons.examples, self.recipe.training.n_steps)

    def tune(
        self,
        network: Any,
        *,
        name: str,
        n_steps: int,
        rate: float,
        hold: Callable[[Any], None] = lambda _network: None,
    ) -> Any:
        """Return a copy of ``network`` after ``n_steps``; goes on where it was when killed.

        ``hold`` is called with the network after every step: what must not change is put right.

        Raises:
            UsageError: the folder holds another fine-tuning.
            RecordingError: its checkpoint is damaged.
        """
        learner = self.learner(copy.deepcopy(network))
        return self._train(learner, self.onward(), name, n_steps=n_steps, rate=rate, hold=hold)

    def train_anew(self, network: Any, *, name: str, n_steps: int) -> Any:
        """Return a copy of ``network`` trained as the recipe says, from its start, untaught."""
        learner = self.learner(copy.deepcopy(network), is_taught=False)
        rate = self.recipe.training.rate
        return self._train(learner, self.lessons.examples, name, n_steps=n_steps, rate=rate)

    def _train(
        self,
        learner: Learner,
        examples: Examples,
        name: str,
        *,
        n_steps: int,
        rate: float,
        hold: Callable[[Any], None] = lambda _network: None,
    ) -> Any:
        settings = msgspec.structs.replace(
            self.recipe.training,
            n_steps=n_steps,
            rate=rate,
            validate_every=0,
            patience=0,
            keep_early=0,
        )
        identity = (
            digest(learner.network),
            self.lessons.data,
            self.recipe.learner,
            self.recipe.data,
        )
        with progress_bar(name, total=n_steps) as bar:

            def on_step(step: int) -> None:
                hold(learner.network)
                bar(step)

            train(
                learner,
                examples,
                settings,
                folder=self.folder / name,
                identity=msgspec.json.encode(identity).decode(),
                fabric=make_fabric(settings.precision),
                on_step=on_step,
            )
        return learner.network.eval()


def of_network(recipe: Recipe, network: Any) -> Recipe:
    """Return the recipe with the shape of ``network``."""
    shape = msgspec.to_builtins(network.settings)
    given = {k: v for k, v in shape.items() if k not in DECIDED}
    return msgspec.structs.replace(recipe, network=given)


def digest(network: Any) -> str:
    """Return what stands for the weights of a network, bit for bit."""
    found = hashlib.sha256()
    for name, weight in sorted(network.state_dict().items()):
        found.update(name.encode() + weight.detach().cpu().numpy().tobytes())
    return found.hexdigest()
