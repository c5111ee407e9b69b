"""A bundle in, a smaller bundle out: what is removed, what training makes good again, what it cost.

    bundle ─▶ network, recipe ─▶ one of the methods ─▶ candidates by name, the last of them kept
           ─▶ each written as a bundle ─▶ same texts, same hops ─▶ the table and the kept bundle

A pruning that was killed goes on where it was when the same command is given again: scores and
choices are functions of bundle and data, and the trainings between keep checkpoints.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from models.bundle import load_bundle, write_bundle
from models.families import build
from models.weights import unpack
from tools.compression.exam import text_exam
from tools.compression.ground import held_out_of
from tools.compression.pruning.asked import (
    check_amount,
    check_writes,
    one_share,
    recipe_of,
    task_of,
)
from tools.compression.pruning.bundle import Made, made_bundle
from tools.compression.pruning.found import CUT, ORIGINAL, SCRATCH, TUNED, Found
from tools.compression.pruning.importance import magnitude, taylor
from tools.compression.pruning.lottery import draw_ticket
from tools.compression.pruning.masks import hold, smallest_out, zeros_share
from tools.compression.pruning.structured import (
    choose,
    n_parameters,
    parse_amounts,
    remove,
    sparsity,
)
from tools.compression.pruning.table import Line, PruneReport
from tools.compression.pruning.tuning import Tuner, of_network
from tools.compression.pruning.units import groups_of
from tools.compression.race import race, windows_of
from tools.compression.sizes import model_bytes, packed_bytes
from tools.digests import text_digest
from tools.training import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tools.compression.pruning.asked import Asked
    from tools.compression.pruning.structured import Amounts, Kept
    from tools.training.evaluation import HeldOut

RATE_SHARE = 0.25
"""Of the recipe's rate: what is left is to be mended, not learnt anew."""

STEPS_SHARE = 0.25
"""Of the recipe's steps, for fine-tuning."""


class Pruning:
    """One pruning of one bundle.

    Raises:
        BundleError: the bundle holds no network of ours, was not trained here, or selects.
        UsageError: what is asked contradicts itself or the bundle.
        RecordingError: the recordings cannot be used, or are not what the bundle hears.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.parent = load_bundle(asked.bundle)
        self.network: Any = unpack(self.parent)
        check_writes(self.parent, "pruning")
        self.recipe = recipe_of(self.parent, self.network)
        self.family = self.recipe.family
        self.folder = asked.out.with_name(f"{asked.out.name}.pruning")
        self.groups = groups_of(self.family, self.network.settings)
        check_amount(asked, self.family)
        self.task = task_of(self.parent, self.recipe, asked, self.folder)
        self.tuner = Tuner(self.recipe, self.task, self.folder, teacher=self.network)
        steps = self.recipe.training.n_steps
        self.n_steps = asked.n_steps or max(1, round(STEPS_SHARE * steps))
        self.rate = asked.rate or RATE_SHARE * self.recipe.training.rate

    def run(self) -> PruneReport:
        """Prune, fine-tune, compare, and write the bundle."""
        asked = self.asked
        methods: dict[str, Callable[[], Found]] = {
            "structured": self.structured,
            "iterative": self.iterative,
            "magnitude": self.single_weights,
            "lottery": lambda: draw_ticket(self),
        }
        sessions = self.sessions()  # first: a training for nothing is dear
        found = methods[asked.method]()
        with tempfile.TemporaryDirectory() as folder:
            paths = {ORIGINAL: asked.bundle}
            for k, (name, network) in enumerate(found.networks.items()):
                paths[name] = Path(folder) / f"{k}.eegb"
                manifest, files = self.made(network, found)
                write_bundle(paths[name], manifest, files)
            exam = text_exam(sessions)
            exam.hear(paths)
            windows = windows_of(asked.bundle, sessions)
            raced = race(paths, windows, n_blocks=asked.n_blocks, n_windows=asked.n_windows)
            networks = {ORIGINAL: self.network, **found.networks}
            lines = tuple(
                Line(
                    name=name,
                    n_parameters=n_parameters(networks[name]),
                    size_bytes=model_bytes(load_bundle(path)),
                    packed_bytes=packed_bytes(load_bundle(path)),
                    errors=exam.errors(name),
                    speed=raced.speed(name, against=ORIGINAL),
                )
                for name, path in paths.items()
            )
        bought = None
        if SCRATCH in found.networks:
            more = exam.more(SCRATCH, found.kept)
            bought = (more.estimate, more.low, more.high)
        kept = next(line for line in lines if line.name == found.kept)
        manifest, files = self.made(found.networks[found.kept], found, line=kept)
        digest = write_bundle(asked.out, manifest, files)
        return PruneReport(
            bundle=asked.out.name,
            sha256=digest,
            parent=self.parent.sha256,
            method=asked.method,
            amount=asked.amount,
            data=self.task.kind,
            n_texts=len(sessions),
            sparsity=found.sparsity,
            kept=found.kept,
            lines=lines,
            constant=exam.constant,
            bought=bought,
            notes=(*found.notes, *self.seen_before(sessions), *exam.doubts()),
        )

    def clean_up(self) -> None:
        """Remove the trainings that were kept on their way."""
        for folder in sorted(self.folder.glob("*")):
            checkpoint.remove(folder)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def structured(self) -> Found:
        """Remove whole units at once, then train what is left."""
        cut, tuned = self.shrunk(self.amounts(), name="tuned")
        return self._with_scratch(cut, tuned)

    def shrunk(self, amounts: Amounts, *, name: str) -> tuple[Any, Any]:
        """Return the network without ``amounts``, as it is and fine-tuned as ``name``."""
        cut = remove(self.network, self.family, self.chosen(self.network, amounts))
        return cut, self.tuner.tune(cut, name=name, n_steps=self.n_steps, rate=self.rate)

    def iterative(self) -> Found:
        """Remove a part of the units, train, and so on: the last round leaves what was asked."""
        amounts, n_rounds = self.amounts(), self.asked.n_rounds
        network, groups = self.network, self.groups
        wanted = {g.name: g.n_units for g in groups}
        n_steps = max(1, self.n_steps // n_rounds)
        for number in range(1, n_rounds + 1):
            # Of what there was, so that the last round arrives where one cut would.
            so_far = {kind: share * number / n_rounds for kind, share in amounts.items()}
            kept = self.chosen(network, so_far, of=wanted)
            network = remove(network, self.family, kept)
            name = f"round-{number}"
            network = self.tuner.tune(network, name=name, n_steps=n_steps, rate=self.rate)
        cut = remove(self.network, self.family, self.chosen(self.network, amounts))
        return self._with_scratch(cut, network)

    def single_weights(self) -> Found:
        """Set single weights to zero and train the others."""
        amount = one_share(self.asked.amount)
        cut = copy.deepcopy(self.network)
        masks = smallest_out(cut, amount)
        hold(cut, masks)
        tuned = self.tuner.tune(
            cut,
            name="tuned",
            n_steps=self.n_steps,
            rate=self.rate,
            hold=lambda network: hold(network, masks),
        )
        share = zeros_share(tuned)
        note = (
            f"{share:.1%} of the parameters are zero and stay in the file: it is smaller only where"
            " it is packed, and a dense runtime is not faster by it."
        )
        return Found({CUT: cut, TUNED: tuned}, TUNED, share, [note])

    def amounts(self) -> Amounts:
        """Return the share that goes of each kind of units."""
        return parse_amounts(self.asked.amount, self.family)

    def scores(self, network: Any) -> dict[str, Tensor]:
        """Return how much each unit of ``network`` is worth."""
        groups = groups_of(self.family, network.settings)
        if self.asked.importance == "magnitude":
            return magnitude(network, groups)
        learner = self.tuner.learner(copy.deepcopy(network), is_taught=False)
        examples = self.tuner.onward()
        return taylor(learner, groups, examples, n_batches=self.asked.n_batches)

    def chosen(self, network: Any, amounts: Amounts, of: dict[str, int] | None = None) -> Kept:
        """Return the units that stay of ``network``, shares being of what it has, or ``of``."""
        return choose(
            groups_of(self.family, network.settings), self.scores(network), amounts, of=of
        )

    def held_batches(self) -> list[Any]:
        """Return batches that were not learnt from, where there are any, nor calibrated with."""
        examples, n = self.task.validation, self.asked.n_batches
        first = 0
        if examples is None:
            examples, first = self.tuner.onward(), n
        return [examples.batch(first + k, progress=1.0) for k in range(n)]

    def sessions(self) -> list[HeldOut]:
        """Return what is heard in the end."""
        return held_out_of(self.task, n_texts=self.asked.n_texts)

    def seen_before(self, sessions: list[HeldOut]) -> list[str]:
        """Return a sentence where the original has learnt from what is heard in the end."""
        learnt = set(self.parent.manifest.provenance.texts)
        n_seen = sum(text_digest(session.text) in learnt for session in sessions)
        if not n_seen:
            return []
        return [f"{n_seen} of these {len(sessions)} texts were learnt from by the original."]

    def made(self, network: Any, found: Found, *, line: Line | None = None) -> Made:
        """Return manifest and files of a bundle of ``network``, with figures where measured."""
        share = found.sparsity if network is found.networks[found.kept] else 0.0
        recipe = of_network(self.recipe, network)
        return made_bundle(
            self.asked.out.stem,
            self.parent,
            network,
            recipe,
            self.task,
            sparsity=share,
            latency_ms={} if line is None else line.latency_ms(),
        )

    def _with_scratch(self, cut: Any, tuned: Any) -> Found:
        """Return both, and on request what training from nothing gives at this size."""
        networks = {CUT: cut, TUNED: tuned}
        notes = []
        if self.asked.is_scratch:
            networks[SCRATCH] = self.from_scratch(tuned, name="scratch")
            notes.append(self.scratch_said())
        return Found(networks, TUNED, sparsity(self.network, tuned), notes)

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


def use_one_thread() -> None:
    """Compute as the daemon does, so that a pruning gives the same weights every time."""
    torch.set_num_threads(1)
