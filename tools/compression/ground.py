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
from tools.compression.exam import Errors, Exam, windows_of
from tools.evaluation.edits import edits, sizes
from tools.evaluation.passes.decoding import decode
from tools.evaluation.passes.decodings import primary_unit
from tools.evaluation.passes.reel import read_reel
from tools.evaluation.resampling import Resampling
from tools.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.bundle import Bundle
    from pipeline.chain import Scorer
    from pipeline.values import Samples
    from tools.evaluation.edits import Unit
    from tools.evaluation.passes.reel import Reel
    from tools.evaluation.resampling import Table
    from tools.training.tasks import Task

N_BATCHES = 4
"""Batches of the training's examples that ranges and sensitivity are measured on."""

MOST_WINDOWS, MOST_WRITTEN = 600, 48
"""Windows that are listened to; fewer of a network that writes symbol by symbol: they are long."""


class Ground(Protocol):
    """See the module."""

    kind: str
    unit: Unit
    notes: tuple[str, ...]

    def sessions(self) -> list[NDArray[np.float32]]:
        """Return windows (n, T, C) of each session in order, for ranges and sensitivity."""
        ...

    def windows(self) -> NDArray[np.float32]:
        """Return windows (n, T, C) to be timed."""
        ...

    def errors(self, paths: Mapping[str, Path]) -> dict[str, Errors]:
        """Return the errors of bundles by name, against the first; empty where nothing tells."""
        ...

    @property
    def n_texts(self) -> int:
        """How many texts or selections errors are of."""
        ...


class TaskGround:
    """A bundle's own training: what it learnt from, and what was held out.

    Raises:
        RecordingError: nothing is held out.
    """

    unit: Unit = "characters"
    notes: tuple[str, ...] = ()

    def __init__(self, path: Path, bundle: Bundle, task: Task, *, n_texts: int | None) -> None:
        self._path, self._task = path, task
        self._n_samples = bundle.manifest.model.input.shape[1]
        self._most = most_windows(bundle)
        self.kind: str = task.kind
        self._held_out = task.exam().held_out[:n_texts]
        if not self._held_out:
            raise RecordingError("no text is held out to compare on, wanted data.held_out above 0")

    @property
    def n_texts(self) -> int:
        """How many texts were held out."""
        return len(self._held_out)

    def sessions(self) -> list[NDArray[np.float32]]:
        """Return some of what was learnt from; see the protocol."""
        found: list[NDArray[np.float32]] = []
        for number in range(N_BATCHES):
            for row in self._task.examples.batch(number, progress=1.0).samples:
                if sum(map(len, found)) < self._most:
                    found.append(cut(row, self._n_samples))
        return found

    def windows(self) -> NDArray[np.float32]:
        """Return hops of what was held out."""
        return windows_of(open_engine(self._path), self._held_out)

    def errors(self, paths: Mapping[str, Path]) -> dict[str, Errors]:
        """Return the errors on what was held out."""
        exam = Exam(paths, self._held_out)
        return {name: exam.errors(name) for name in paths}


class RecordedGround:
    """Labelled recordings that the bundle was not trained on, as far as anybody knows.

    Raises:
        RecordingError: one cannot be used, or holds no truth.
        BundleError: the bundle cannot be opened, or hears something else.
    """

    kind = "recorded"

    def __init__(self, path: Path, recordings: Sequence[Path]) -> None:
        self._engine = open_engine(path)
        self._reels = [read_reel(recording, self._engine) for recording in recordings]
        self._judged = self._reels[1:] or self._reels
        self._items = [(reel, item) for reel in self._judged for item in reel.items]
        self.unit: Unit = primary_unit(self._engine)
        same = "" if len(self._reels) > 1 else ", as there is no other"
        judged = ", ".join(reel.name for reel in self._judged)
        self.notes: tuple[str, ...] = (
            f"ranges of {self._reels[0].name}, errors of {judged}{same}",
        )

    @property
    def n_texts(self) -> int:
        """How many texts or selections are judged."""
        return len(self._items)

    def sessions(self) -> list[NDArray[np.float32]]:
        """Return the windows of the first recording, as the chain asks for them."""
        return [self._heard(self._reels[0])[: most_windows(self._engine.bundle)]]

    def windows(self) -> NDArray[np.float32]:
        """Return windows of what is judged."""
        return self._heard(self._judged[0])[:MOST_WINDOWS]

    def errors(self, paths: Mapping[str, Path]) -> dict[str, Errors]:
        """Return the errors of each bundle on the recordings that are judged."""
        truths = [item.reference for _, item in self._items]
        drawn = range(len(truths)) if self.unit == "selections" else truths
        people = [reel.subject for reel, _ in self._items]
        resampling = Resampling(list(drawn), people)
        tables: dict[Path, Table] = {}
        with progress("scoring", total=len(paths) * len(self._judged)) as bar:
            for path in paths.values():
                engine, said = open_engine(path), []
                for reel in self._judged:
                    said += [one.text for one in decode(engine, reel).said]
                    bar(len(tables) * len(self._judged) + 1)
                wrong = edits(truths, said, self.unit)
                tables[path] = resampling.table(wrong, sizes(truths, self.unit))
        first = tables[next(iter(paths.values()))]
        found = {}
        for name, path in paths.items():
            own, more = (
                resampling.interval(tables[path]),
                resampling.difference(tables[path], first),
            )
            found[name] = Errors(
                cer=own.estimate,
                cer_95=(own.low, own.high),
                more=more.estimate,
                more_95=(more.low, more.high),
            )
        return found

    def _heard(self, reel: Reel) -> NDArray[np.float32]:
        listener = _Listener(self._engine.model())
        chain = self._engine.chain(model=listener, marker_names=reel.marker_names)
        for chunk in reel.chunks:
            chain.push(reel.samples[chunk.first : chunk.stop], chunk.markers, chunk.events)
        if not listener.windows:
            raise RecordingError(f"{reel.path}: gives no window, wanted a longer recording")
        return np.stack(listener.windows)


class GoldenGround:
    """Nothing but a bundle's golden vectors: enough to time it, not to judge it."""

    kind = "golden"
    unit: Unit = "characters"
    n_texts = 0
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

    def errors(self, paths: Mapping[str, Path]) -> dict[str, Errors]:
        """Return nothing."""
        return {}


class _Listener:
    """A model that keeps what it hears."""

    def __init__(self, model: Scorer) -> None:
        self._model = model
        self.windows: list[NDArray[np.float32]] = []

    def run(self, window: Samples) -> NDArray[np.float32]:
        self.windows.append(np.array(window, dtype=np.float32))
        return self._model.run(window)

    def reset(self) -> None:
        self._model.reset()


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
