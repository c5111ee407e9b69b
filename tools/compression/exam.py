"""How wrong pruned networks are beside the original, and how fast: same texts, same hops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.filters import FilterChain
from pipeline.spec import Settings, SlidingWindow
from runtime.engine import open_engine
from tools.compression.hop import Hop
from tools.compression.timing import percentiles_ms, ratio, time_blocks
from tools.evaluation.edits import edits, sizes
from tools.evaluation.resampling import Resampling
from tools.progress import progress
from tools.training.listening import listen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from runtime.engine import Engine
    from tools.compression.timing import Timed
    from tools.evaluation.resampling import Interval, Table
    from tools.training.evaluation import HeldOut

N_WINDOWS = 500
"""Hops of the held-out recordings that are timed."""


class Errors(Settings, frozen=True, kw_only=True):
    """A character error rate, and how much more it is than the original's; 95 % over texts."""

    cer: float
    cer_95: tuple[float, float]
    more: float
    more_95: tuple[float, float]


class Speed(Settings, frozen=True, kw_only=True):
    """Milliseconds a hop, and how long it takes against the original's in the same blocks."""

    p50_ms: float
    p99_ms: float
    ratio_p50: float
    ratio_p50_high: float
    ratio_p99: float
    ratio_p99_high: float


class Exam:
    """What bundles write of the same ``sessions``, by name, the original first.

    A draw of the bootstrap takes whole texts, and the same ones of all bundles.

    Raises:
        BundleError: one cannot be opened.
    """

    def __init__(self, paths: Mapping[str, Path], sessions: Sequence[HeldOut]) -> None:
        truths = [session.text for session in sessions]
        self._drawn = Resampling(truths, [""] * len(truths))
        self._tables: dict[str, Table] = {}
        counted = sizes(truths, "characters")
        with progress("scoring", total=len(paths) * len(sessions)) as bar:
            for k, (name, path) in enumerate(paths.items()):
                engine = open_engine(path)
                said = []
                for number, session in enumerate(sessions, start=1):
                    said.append(listen(engine, session.samples).transcript)
                    bar(k * len(sessions) + number)
                wrong = edits(truths, said, "characters")
                self._tables[name] = self._drawn.table(wrong, counted)

    def errors(self, name: str) -> Errors:
        """Return the errors of a bundle, and how many more they are than the original's."""
        own = self._drawn.interval(self._tables[name])
        more = self.more(name, next(iter(self._tables)))
        return Errors(
            cer=own.estimate,
            cer_95=(own.low, own.high),
            more=more.estimate,
            more_95=(more.low, more.high),
        )

    def more(self, one: str, other: str) -> Interval:
        """Return how much higher the error rate of ``one`` is than that of ``other``."""
        return self._drawn.difference(self._tables[one], self._tables[other])


def race(
    paths: Mapping[str, Path],
    sessions: Sequence[HeldOut],
    *,
    n_blocks: int,
    n_windows: int,
    others: Mapping[str, Timed] | None = None,
    windows: NDArray[np.float32] | None = None,
) -> dict[str, Speed]:
    """Return how fast bundles and ``others`` are by name, against the first, in turns.

    ``windows`` (n, n_samples, n_inputs) stand for hops of ``sessions`` where they are given.
    """
    engines = {name: open_engine(path) for name, path in paths.items()}
    if windows is None:
        windows = windows_of(next(iter(engines.values())), sessions)
    runners: dict[str, Timed] = {name: Hop(engine) for name, engine in engines.items()}
    runners |= others or {}
    with progress("timing", total=n_blocks * len(runners)) as bar:
        taken = time_blocks(runners, windows, n_blocks=n_blocks, n_windows=n_windows, on_block=bar)
    original = next(iter(taken.values()))
    found = {}
    for name, times in taken.items():
        middle, against = percentiles_ms(times), ratio(times, original)
        found[name] = Speed(
            p50_ms=middle["p50"],
            p99_ms=middle["p99"],
            ratio_p50=against.p50,
            ratio_p50_high=against.p50_high,
            ratio_p99=against.p99,
            ratio_p99_high=against.p99_high,
        )
    return found


def windows_of(engine: Engine, sessions: Sequence[HeldOut]) -> NDArray[np.float32]:
    """Return windows as the chain gives them to the model, (n, n_samples, n_inputs).

    Sessions follow each other as if they were one, and again where they are shorter than a window.
    """
    window = engine.spec.window
    if not isinstance(window, SlidingWindow):
        raise TypeError("spec.window: wanted a sliding window")
    n_samples, hop = window.window_samples, window.hop_samples
    most, pieces = n_samples + (N_WINDOWS - 1) * hop, []
    for session in sessions:
        pieces.append(FilterChain(engine.spec).push(session.samples))
        if sum(map(len, pieces)) >= most:
            break
    heard = np.concatenate(pieces)[:most]  # (n, n_inputs)
    heard = np.resize(heard, (max(len(heard), n_samples), heard.shape[1]))
    return np.stack([heard[k : k + n_samples] for k in range(0, len(heard) - n_samples + 1, hop)])
