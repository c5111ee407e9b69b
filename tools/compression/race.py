"""How fast bundles are beside the original: the model's own part of a hop, by turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.bundle import load_bundle
from pipeline.filters import FilterChain
from pipeline.spec import Settings, SlidingWindow
from runtime.engine import open_engine
from tools.compression.hop import hop_of
from tools.compression.timing import percentiles_ms, ratio, time_blocks
from tools.console.progress import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tools.compression.timing import Timed
    from tools.training.evaluation import HeldOut

N_WINDOWS = 500
"""Hops of the held-out recordings that are timed."""


class Speed(Settings, frozen=True, kw_only=True):
    """Milliseconds a hop, and how long it takes against another's in the same blocks."""

    p50_ms: float
    p99_ms: float
    ratio_p50: float
    ratio_p50_high: float
    ratio_p99: float
    ratio_p99_high: float


class Race:
    """The times of all that took turns, by name, milliseconds (n_blocks, n_windows)."""

    def __init__(self, taken: Mapping[str, NDArray[np.float64]]) -> None:
        self._taken = dict(taken)

    @property
    def names(self) -> list[str]:
        """Who took turns, in their order."""
        return list(self._taken)

    def speed(self, name: str, *, against: str) -> Speed:
        """Return how fast ``name`` is, beside another."""
        times = self._taken[name]
        middle, found = percentiles_ms(times), ratio(times, self._taken[against])
        return Speed(
            p50_ms=middle["p50"],
            p99_ms=middle["p99"],
            ratio_p50=found.p50,
            ratio_p50_high=found.p50_high,
            ratio_p99=found.p99,
            ratio_p99_high=found.p99_high,
        )


def race(
    paths: Mapping[str, Path],
    windows: NDArray[np.float32],
    *,
    n_blocks: int,
    n_windows: int,
    others: Mapping[str, Timed] | None = None,
) -> Race:
    """Let bundles and ``others`` take turns at hops of ``windows`` (n, n_samples, n_inputs)."""
    runners: dict[str, Timed] = {name: hop_of(load_bundle(path)) for name, path in paths.items()}
    runners |= others or {}
    with progress("timing", total=n_blocks * len(runners)) as bar:
        taken = time_blocks(runners, windows, n_blocks=n_blocks, n_windows=n_windows, on_block=bar)
    return Race(taken)


def windows_of(path: Path, sessions: Sequence[HeldOut]) -> NDArray[np.float32]:
    """Return windows as the chain gives them to the bundle's model, (n, n_samples, n_inputs).

    Sessions follow each other as if they were one, and again where they are shorter than a window.
    """
    spec = open_engine(path).spec
    window = spec.window
    if not isinstance(window, SlidingWindow):
        raise TypeError("spec.window: wanted a sliding window")
    n_samples, hop = window.window_samples, window.hop_samples
    most, pieces = n_samples + (N_WINDOWS - 1) * hop, []
    for session in sessions:
        pieces.append(FilterChain(spec).push(session.samples))
        if sum(map(len, pieces)) >= most:
            break
    heard = np.concatenate(pieces)[:most]  # (n, n_inputs)
    heard = np.resize(heard, (max(len(heard), n_samples), heard.shape[1]))
    return np.stack([heard[k : k + n_samples] for k in range(0, len(heard) - n_samples + 1, hop)])
