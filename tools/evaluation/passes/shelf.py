"""The recordings of an evaluation: all described, and as many kept in memory as fit."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from tools.evaluation.passes.reel import Reel, read_reel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from runtime.engine import Engine

MOST_BYTES = 1 << 30


class Shelf:
    """Reads every recording once, and again where it was not kept.

    Attributes:
        reels: all of them, without samples and chunks.

    Raises:
        RecordingError: one cannot be used, or is there twice: its rows would count twice.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        engine: Engine,
        *,
        trials: frozenset[int] | None = None,
        subject: str = "",
        most_bytes: int = MOST_BYTES,
        on_done: Callable[[int], None] = lambda _done: None,
    ) -> None:
        self._engine, self._trials, self._subject = engine, trials, subject
        self._most_bytes = most_bytes
        self._kept: dict[int, Reel] = {}
        self.reels: list[Reel] = []
        for number, reel in enumerate(_each_once(paths, self._read)):
            self._keep(number, reel)
            nothing = np.empty((0, reel.samples.shape[1]), np.float32)
            self.reels.append(replace(reel, samples=nothing, chunks=()))
            on_done(number + 1)

    def whole(self, number: int) -> Reel:
        """Return a recording with its samples."""
        if number not in self._kept:
            reel = replace(self._read(self.reels[number].path), name=self.reels[number].name)
            if reel.content != self.reels[number].content:
                raise RecordingError(f"{reel.path}: was changed while it was read")
            self._keep(number, reel)
        return self._kept[number]

    def _read(self, path: Path) -> Reel:
        return read_reel(path, self._engine, trials=self._trials, subject=self._subject)

    def _keep(self, number: int, reel: Reel) -> None:
        """Keep a recording, and let the oldest go where all do not fit."""
        self._kept[number] = reel
        while len(self._kept) > 1 and self._n_bytes() > self._most_bytes:
            del self._kept[next(iter(self._kept))]

    def _n_bytes(self) -> int:
        return sum(reel.samples.nbytes for reel in self._kept.values())


def read_reels(
    paths: Sequence[Path], engine: Engine, *, trials: frozenset[int] | None = None
) -> list[Reel]:
    """Return all recordings, whole; those of one name in several folders get names of their own.

    Raises:
        RecordingError: one cannot be used, or is there twice: its rows would count twice.
        BundleError: one is of another rate.
    """
    return list(_each_once(paths, lambda path: read_reel(path, engine, trials=trials)))


def _each_once(paths: Sequence[Path], read: Callable[[Path], Reel]) -> Iterator[Reel]:
    counts = Counter(path.name for path in paths)
    seen: dict[str, Path] = {}
    for number, path in enumerate(paths):
        reel = read(path)
        twin = seen.get(reel.content)
        if twin is not None:
            raise RecordingError(f"{path}: holds the samples of {twin}, wanted each recording once")
        seen[reel.content] = path
        if counts[path.name] > 1:
            reel = replace(reel, name=f"{number}:{path.parent.name}/{path.name}")
        yield reel
