"""How long a call takes, of several models by turns, and how sure it is that one is faster.

A machine is faster at one minute than at the next. So models take turns in blocks, in an order that
is reversed every time (A B B A …), all hear the same windows, and a ratio is of the same blocks.
Calls of one block are not independent of each other; the bootstrap therefore draws whole blocks.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

N_BLOCKS = 20
N_WINDOWS = 200
"""The least that a claim about speed rests on: blocks, and calls in each."""

N_WARM_UP = 10
"""Calls at the start of a block that are not counted: they fetch the model into the caches."""

N_DRAWS = 2000
LEVEL = 0.95


class Timed(Protocol):
    """What is timed: a model, or anything that is called with a window."""

    def run(self, window: NDArray[np.float32]) -> object:
        """Take one window (n_samples, n_inputs)."""
        ...


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long one model takes as another; below 1 it is faster.

    ``p99_low`` and ``p99_high`` are one-sided 95 % bounds of the ratio of their 99th percentiles,
    ``p50_high`` that of their medians.
    """

    p50: float
    p50_high: float
    p99: float
    p99_low: float
    p99_high: float


def time_blocks(
    models: Mapping[str, Timed],
    windows: NDArray[np.float32],
    *,
    n_blocks: int = N_BLOCKS,
    n_windows: int = N_WINDOWS,
    on_block: Callable[[int], None] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return milliseconds of every call by model, (n_blocks, n_windows).

    Args:
        models: by name; each is called with the same windows in the same order.
        windows: (n, n_samples, n_inputs), begun again when they end.
        n_blocks: how often each model has its turn.
        n_windows: how many calls a turn has.
        on_block: hears how many turns are done, of ``n_blocks`` times the models.
    """
    taken = {name: np.empty((n_blocks, n_windows)) for name in models}
    order, n_done = list(models), 0
    for block in range(n_blocks):
        for name in order if block % 2 == 0 else reversed(order):
            first = block * n_windows
            _block(models[name], windows, first, into=taken[name][block])
            n_done += 1
            if on_block is not None:
                on_block(n_done)
    return taken


def _block(
    model: Timed, windows: NDArray[np.float32], first: int, *, into: NDArray[np.float64]
) -> None:
    for k in range(N_WARM_UP):
        model.run(windows[(first + k) % len(windows)])
    was_on = gc.isenabled()
    gc.disable()  # a collection would be some call's tail, and no model's fault
    try:
        for k in range(len(into)):
            window = windows[(first + k) % len(windows)]
            began_ns = time.perf_counter_ns()
            model.run(window)
            into[k] = (time.perf_counter_ns() - began_ns) * 1e-6
    finally:
        if was_on:
            gc.enable()


def ratio(
    candidate: NDArray[np.float64],
    original: NDArray[np.float64],
    *,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Ratio:
    """Return how long ``candidate`` takes against ``original``, both (n_blocks, n_windows) in ms.

    Raises:
        ValueError: they are not of as many blocks.
    """
    n_blocks = len(candidate)
    if n_blocks != len(original):
        raise ValueError(f"candidate: got {n_blocks} blocks, must be {len(original)}")
    rng = np.random.default_rng(seed)
    drawn = np.empty((n_draws, 2))
    for k in range(n_draws):
        blocks = rng.integers(0, n_blocks, n_blocks)
        one, other = (np.percentile(taken[blocks], (50, 99)) for taken in (candidate, original))
        drawn[k] = one / other
    p50, p99 = np.percentile(candidate, (50, 99)) / np.percentile(original, (50, 99))
    high = np.quantile(drawn, LEVEL, axis=0)
    return Ratio(
        p50=float(p50),
        p50_high=float(high[0]),
        p99=float(p99),
        p99_low=float(np.quantile(drawn[:, 1], 1 - LEVEL)),
        p99_high=float(high[1]),
    )


def percentiles_ms(taken: NDArray[np.float64]) -> dict[str, float]:
    """Return the median and the 99th percentile of all calls, for tables and manifests."""
    p50, p99 = np.percentile(taken, (50, 99))
    return {"p50": float(p50), "p99": float(p99)}
