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

import torch

from models.bundle import load_bundle, write_bundle
from pipeline.errors import BundleError
from tools.compression.pruning.asked import check_amount, one_share
from tools.compression.pruning.found import CUT, ORIGINAL, SCRATCH, TUNED, Found
from tools.compression.pruning.lottery import draw_ticket
from tools.compression.pruning.masks import hold, smallest_out, zeros_share
from tools.compression.pruning.prunable import Prunable
from tools.compression.pruning.structured import n_parameters, parse_amounts, remove, sparsity
from tools.compression.pruning.table import Line, PruneReport
from tools.compression.race import race
from tools.compression.sizes import model_bytes, packed_bytes
from tools.training import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.compression.exam import Exam
    from tools.compression.pruning.asked import Asked
    from tools.compression.pruning.bundle import Made
    from tools.compression.pruning.structured import Amounts


class Pruning:
    """One pruning of one bundle.

    Raises:
        BundleError: the bundle holds no network of ours, was not trained here, or nothing is
            known of what can be removed of it.
        UsageError: what is asked contradicts itself or the bundle.
        RecordingError: the recordings cannot be used, or are not what the bundle hears.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.original = Prunable(
            asked.bundle,
            asked.out.with_name(f"{asked.out.name}.pruning"),
            paths=asked.paths,
            importance=asked.importance,
            n_batches=asked.n_batches,
            n_steps=asked.n_steps,
            rate=asked.rate,
            cache=asked.cache,
        )
        check_amount(asked, self.original.family)  # before the data are read, which takes long
        self.problems: tuple[str, ...] = self.original.lessons.problems

    def run(self) -> PruneReport:
        """Prune, fine-tune, compare, and write the bundle."""
        asked, original = self.asked, self.original
        methods: dict[str, Callable[[], Found]] = {
            "structured": self.structured,
            "iterative": self.iterative,
            "magnitude": self.single_weights,
            "lottery": lambda: draw_ticket(original, self.amounts(), n_steps=asked.n_steps),
        }
        ground = original.lessons.ground(n_texts=asked.n_texts)
        exam = ground.exam()  # first: a training for nothing is dear
        if exam is None:
            raise BundleError(f"{asked.bundle}: nothing tells its errors, wanted recordings")
        found = methods[asked.method]()
        with tempfile.TemporaryDirectory() as folder:
            paths = {ORIGINAL: asked.bundle}
            for k, (name, network) in enumerate(found.networks.items()):
                paths[name] = Path(folder) / f"{k}.eegb"
                manifest, files = self.made(network, found)
                write_bundle(paths[name], manifest, files)
            exam.hear(paths)
            windows = ground.windows()
            raced = race(paths, windows, n_blocks=asked.n_blocks, n_windows=asked.n_windows)
            networks = {ORIGINAL: original.network, **found.networks}
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
            parent=original.bundle.sha256,
            method=asked.method,
            amount=asked.amount,
            data=ground.kind,
            unit=exam.unit,
            n_texts=exam.n_texts,
            n_symbols=self.n_symbols(exam),
            sparsity=found.sparsity,
            kept=found.kept,
            lines=lines,
            constant=exam.constant,
            bought=bought,
            notes=(*found.notes, *original.lessons.notes(n_texts=asked.n_texts), *exam.doubts()),
        )

    def clean_up(self) -> None:
        """Remove the trainings that were kept on their way."""
        kept = self.original.folder
        for folder in sorted(kept.glob("*")):
            checkpoint.remove(folder)
        if kept.is_dir() and not any(kept.iterdir()):
            kept.rmdir()

    def structured(self) -> Found:
        """Remove whole units at once, then train what is left."""
        cut = self.original.cut(self.amounts())
        return self._with_scratch(cut, self.original.tuned(cut, name="tuned"))

    def iterative(self) -> Found:
        """Remove a part of the units, train, and so on: the last round leaves what was asked."""
        original, amounts, n_rounds = self.original, self.amounts(), self.asked.n_rounds
        network = original.network
        wanted = {g.name: g.n_units for g in original.groups}
        n_steps = max(1, original.n_steps // n_rounds)
        for number in range(1, n_rounds + 1):
            # Of what there was, so that the last round arrives where one cut would.
            so_far = {kind: share * number / n_rounds for kind, share in amounts.items()}
            kept = original.chosen(network, so_far, of=wanted)
            network = remove(network, original.family, kept)
            name = f"round-{number}"
            network = original.tuner.tune(network, name=name, n_steps=n_steps, rate=original.rate)
        return self._with_scratch(original.cut(amounts), network)

    def single_weights(self) -> Found:
        """Set single weights to zero and train the others."""
        amount, original = one_share(self.asked.amount), self.original
        cut = copy.deepcopy(original.network)
        masks = smallest_out(cut, amount)
        hold(cut, masks)
        tuned = original.tuner.tune(
            cut,
            name="tuned",
            n_steps=original.n_steps,
            rate=original.rate,
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
        return parse_amounts(self.asked.amount, self.original.family)

    def n_symbols(self, exam: Exam) -> int | None:
        """Return how many symbols a selection is of; None where texts are judged."""
        vocabulary = self.original.bundle.manifest.pipeline.vocabulary
        return len(vocabulary) if exam.unit == "selections" else None

    def made(self, network: Any, found: Found, *, line: Line | None = None) -> Made:
        """Return manifest and files of a bundle of ``network``, with figures where measured."""
        return self.original.made(
            self.asked.out.stem,
            network,
            sparsity=found.sparsity if network is found.networks[found.kept] else 0.0,
            latency_ms=None if line is None else line.latency_ms(),
        )

    def _with_scratch(self, cut: Any, tuned: Any) -> Found:
        """Return both, and on request what training from nothing gives at this size."""
        original, networks = self.original, {CUT: cut, TUNED: tuned}
        notes = []
        if self.asked.is_scratch:
            networks[SCRATCH] = original.from_scratch(tuned, name="scratch")
            notes.append(original.scratch_said())
        return Found(networks, TUNED, sparsity(original.network, tuned), notes)


def use_one_thread() -> None:
    """Compute as the daemon does, so that a pruning gives the same weights every time."""
    torch.set_num_threads(1)
