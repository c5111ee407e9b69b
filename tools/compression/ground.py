"""What a bundle is measured on: windows for its ranges, windows to time it, texts for its errors.

A bundle that was trained here is measured as its training was: ranges on what it learnt from,
errors on what was held out. Any other is measured on labelled recordings, ranges on the first of
them and errors on the rest; or, without any, on nothing but the windows of its golden vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from models.golden import read_windows
from pipeline.errors import BundleError, RecordingError
from runtime.engine import open_engine
from tools.compression.exam import Exam, text_exam
from tools.compression.halves import Row, halves
from tools.compression.race import windows_of
from tools.evaluation.passes.decoding import decode
from tools.evaluation.passes.decodings import primary_unit
from tools.evaluation.passes.shelf import read_reels
from tools.packaging.real_windows import Listener

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.bundle import Bundle
    from runtime.engine import Engine
    from tools.evaluation.passes.reel import Reel
    from tools.training.evaluation import HeldOut
    from tools.training.tasks import Task

N_BATCHES = 4
"""Batches of the training's examples that ranges and sensitivity are measured on."""

MOST_WINDOWS, MOST_WRITTEN = 600, 48
"""Windows that are listened to; fewer of a network that writes symbol by symbol: they are long."""


class Ground(Protocol):
    """See the module."""

    kind: str
    notes: tuple[str, ...]

    def sessions(self) -> list[NDArray[np.float32]]:
        """Return windows (n, T, C) of each session in order, for ranges and sensitivity."""
        ...

    def windows(self) -> NDArray[np.float32]:
        """Return windows (n, T, C) to be timed."""
        ...

    def exam(self) -> Exam | None:
        """Return what bundles are to be judged on; None where nothing tells."""
        ...

    def split(self) -> tuple[Ground, Ground]:
        """Return one to search on and one to confirm on, with neither text nor session in common.

        Raises:
            RecordingError: there is too little for two.
        """
        ...


class TaskGround:
    """A bundle's own training: what it learnt from, and what was ``held_out``."""

    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, bundle: Bundle, task: Task, held_out: Sequence[HeldOut]) -> None:
        self._path, self._task, self._bundle = path, task, bundle
        self.kind: str = task.kind
        self._held_out = held_out

    def sessions(self) -> list[NDArray[np.float32]]:
        """Return some of what was learnt from; see the protocol."""
        n_samples, most = self._bundle.manifest.model.input.shape[1], most_windows(self._bundle)
        found: list[NDArray[np.float32]] = []
        for number in range(N_BATCHES):
            for row in self._task.examples.batch(number, progress=1.0).samples:
                if sum(map(len, found)) < most:
                    found.append(cut(row, n_samples))
        return found

    def windows(self) -> NDArray[np.float32]:
        """Return hops of what was held out."""
        return windows_of(self._path, self._held_out)

    def exam(self) -> Exam:
        """Return an exam of what was held out."""
        return text_exam(self._held_out)

    def split(self) -> tuple[TaskGround, TaskGround]:
        """Return two of disjoint texts and sessions; see the protocol."""
        rows = [Row(session.text, session.session) for session in self._held_out]
        search, confirm = (
            TaskGround(self._path, self._bundle, self._task, [self._held_out[k] for k in part])
            for part in halves(rows)
        )
        return search, confirm


def held_out_of(task: Task, *, n_texts: int | None) -> list[HeldOut]:
    """Return at most ``n_texts`` of what a training held out.

    Raises:
        RecordingError: there is none.
    """
    found = task.exam().held_out[:n_texts]
    if not found:
        raise RecordingError("no text is held out to compare on, wanted data.held_out above 0")
    return found


class RecordedGround:
    """Labelled recordings, some of which the bundle may have learnt from.

    Args:
        engine: of the bundle.
        first: gives ranges.
        judged: recordings that errors are of.
        learnt: digests of files that the bundle has learnt from.
        others: recordings that are not judged here, and may be once it is split.
        n_texts: most of the items that count, taken from all recordings by turns; all.
        taken: of the items judged those that count, as (recording's place, item's place); all.
    """

    def __init__(
        self,
        engine: Engine,
        first: Reel,
        judged: Sequence[Reel],
        *,
        learnt: frozenset[str] = frozenset(),
        others: Sequence[Reel] = (),
        n_texts: int | None = None,
        taken: frozenset[tuple[int, int]] | None = None,
    ) -> None:
        self._engine, self._first, self._judged = engine, first, judged
        self._learnt, self._others, self._n_texts = learnt, others, n_texts
        places = by_turns(judged, most=n_texts)
        self._items = [place for place in places if taken is None or place in taken]
        heard = {id(reel): reel for reel in (first, *judged)}.values()
        self.kind: str = "simulated" if any(r.is_simulated for r in heard) else "recorded"
        self.notes = self._said()

    def _said(self) -> tuple[str, ...]:
        """Return what is measured on what, and which errors are no errors to expect."""
        same = ", as there is no other" if list(self._judged) == [self._first] else ""
        judged = [reel.name for reel in self._judged]
        said = f"ranges of {self._first.name}, errors of {', '.join(judged)}{same}"
        seen = [reel.name for reel in self._judged if self._has_learnt(reel)]
        if not seen:
            return (said,)
        few = "say little of how it errs, and of what is lost, elsewhere"
        return (said, f"the bundle has learnt from {', '.join(seen)}: errors there {few}")

    def sessions(self) -> list[NDArray[np.float32]]:
        """Return the windows of the first recording, as the chain asks for them."""
        return [self._heard(self._first)[: most_windows(self._engine.bundle)]]

    def windows(self) -> NDArray[np.float32]:
        """Return windows of what is judged."""
        return self._heard(self._judged[0])[:MOST_WINDOWS]

    def exam(self) -> Exam:
        """Return an exam of the texts or trials that are judged."""

        def read(engine: Engine) -> list[str]:
            said = [decode(engine, reel).said for reel in self._judged]
            return [said[k][place].text for k, place in self._items]

        return Exam(
            [self._judged[k].items[place].reference for k, place in self._items],
            read,
            unit=primary_unit(self._engine),
            people=[self._judged[k].subject for k, _ in self._items],
        )

    def split(self) -> tuple[RecordedGround, RecordedGround]:
        """Return two of disjoint recordings; a text of both counts in one; see the protocol.

        What gives ranges, and what the bundle has learnt from, is never confirmed on.
        """
        reels = [self._first, *(r for r in (*self._judged, *self._others) if r is not self._first)]
        fresh = [reel for reel in reels if not self._has_learnt(reel)]
        if not fresh:
            raise RecordingError(
                f"{', '.join(reel.name for reel in reels)}: the bundle has learnt from all of them,"
                " wanted a labelled recording that it has not, to confirm on"
            )
        if len({reel.whose for reel in fresh}) > 1:
            reels = fresh
        else:  # what leads is searched on
            reels = [*(reel for reel in reels if self._has_learnt(reel)), *fresh]
        is_text = primary_unit(self._engine) != "selections"
        places = [(reels[number], k) for number, k in by_turns(reels, most=self._n_texts)]
        rows = [
            Row(
                reel.items[k].reference if is_text else f"{reel.name} {k}",
                "learnt" if self._has_learnt(reel) else reel.whose,
            )
            for reel, k in places
        ]
        search, confirm = (self._of([places[k] for k in part]) for part in halves(rows))
        return search, confirm

    def _has_learnt(self, reel: Reel) -> bool:
        return bool(reel.files & self._learnt)

    def _of(self, places: list[tuple[Reel, int]]) -> RecordedGround:
        judged = list({id(reel): reel for reel, _ in places}.values())
        numbers = {id(reel): k for k, reel in enumerate(judged)}
        taken = frozenset((numbers[id(reel)], place) for reel, place in places)
        return RecordedGround(self._engine, self._first, judged, learnt=self._learnt, taken=taken)

    def _heard(self, reel: Reel) -> NDArray[np.float32]:
        listener = Listener(self._engine.model())
        chain = self._engine.chain(model=listener, marker_names=reel.marker_names)
        for chunk in reel.chunks:
            chain.push(reel.samples[chunk.first : chunk.stop], chunk.markers, chunk.events)
        if not listener.heard:
            raise RecordingError(f"{reel.path}: gives no window, wanted a longer recording")
        return np.stack(listener.heard)


def recorded_ground(
    path: Path, recordings: Sequence[Path], *, n_texts: int | None = None
) -> RecordedGround:
    """Return the ground of a bundle: ranges of one recording, errors of the others.

    Ranges are of the first that the bundle has learnt from, or of the first; and errors of what it
    has learnt from only where there is nothing else. At most ``n_texts`` texts or trials count.

    Raises:
        RecordingError: one cannot be used, holds no truth, or is there twice.
        BundleError: the bundle cannot be opened, or hears something else.
    """
    engine = open_engine(path)
    reels = read_reels(recordings, engine)
    learnt = frozenset(engine.bundle.manifest.provenance.data.values())
    known = [reel for reel in reels if reel.files & learnt]
    first, *rest = (*known, *(reel for reel in reels if reel not in known))
    judged = [reel for reel in rest if reel not in known] or rest or [first]
    others = [reel for reel in rest if reel not in judged]
    return RecordedGround(engine, first, judged, learnt=learnt, others=others, n_texts=n_texts)


def by_turns(reels: Sequence[Reel], *, most: int | None) -> list[tuple[int, int]]:
    """Return places (recording, item): the first item of each recording, the second, … at most."""
    turns = sorted((k, number) for number, reel in enumerate(reels) for k in range(len(reel.items)))
    return sorted((number, k) for k, number in turns[:most])


class GoldenGround:
    """Nothing but a bundle's golden vectors: enough to time it, not to judge it."""

    kind = "golden"
    notes: tuple[str, ...] = (
        "errors were not compared: neither recordings nor --simulate were given",
    )

    def __init__(self, bundle: Bundle) -> None:
        self._windows = read_windows(bundle)

    def sessions(self) -> list[NDArray[np.float32]]:
        """Refuse: golden vectors are too few to measure on.

        Raises:
            BundleError: always.
        """
        raise BundleError("no recordings to measure ranges on, wanted some, or --method dynamic")

    def windows(self) -> NDArray[np.float32]:
        """Return the windows of the golden vectors."""
        return self._windows

    def exam(self) -> None:
        """Return nothing."""

    def split(self) -> tuple[Ground, Ground]:
        """Refuse.

        Raises:
            BundleError: always.
        """
        raise BundleError("no recordings to search and confirm on, wanted some, or --simulate")


def most_windows(bundle: Bundle) -> int:
    """Return how many windows ranges and sensitivity are measured on."""
    return MOST_WINDOWS if bundle.manifest.step is None else MOST_WRITTEN


def cut(samples: NDArray[Any], n_samples: int) -> NDArray[np.float32]:
    """Return whole windows (n, n_samples, C) of (T, C); a short one is filled up."""
    if len(samples) < n_samples:
        samples = np.pad(samples, ((0, n_samples - len(samples)), (0, 0)))
    n = len(samples) // n_samples
    whole: NDArray[np.float32] = samples[: n * n_samples].reshape(n, n_samples, -1)
    return whole
