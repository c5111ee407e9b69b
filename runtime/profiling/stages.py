"""Every decode of a profile by stage, and how they spread: percentiles, histogram, cost."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from runtime.latency import STAGES, row_of, spread, spreads
from runtime.wire.messages import Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from runtime.wire.messages import Latency

EDGES_MS = (*(float(f"{n}e{power}") for power in range(-2, 4) for n in (1, 2, 5)), 1e4)
"""Of the histogram's buckets: 1, 2, 5 in each decade from 0.01 ms to 10 s."""

WORK = [STAGES.index(stage) for stage in ("filter", "model", "decode", "publish")]
"""What the decode thread does itself; it only waits in the others."""

MIN_DECODES = 20
"""Fewer on either side say nothing about what tracing costs."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What tracing cost: milliseconds of a decode's work (filter to publish), without and with."""

    untraced: Spread
    traced: Spread

    @property
    def p50_ms(self) -> float | None:
        """How much longer the median decode took; None where either side has too few."""
        if self.untraced.p50 is None or self.traced.p50 is None:
            return None
        if min(self.untraced.n, self.traced.n) < MIN_DECODES:
            return None
        return self.traced.p50 - self.untraced.p50


class StageRows:
    """All decodes of one profile, 64 bytes each; one thread adds, and others ask when it is done.

    ``budgets_ms`` holds the stages that have a budget.
    """

    def __init__(self, budgets_ms: Mapping[str, float]) -> None:
        self._budgets_ms = budgets_ms
        self._values = array("d")

    def add(self, latency: Latency, *, is_traced: bool) -> None:
        """Take one decode."""
        self._values.extend((*row_of(latency), float(is_traced)))

    @property
    def n_decodes(self) -> int:
        """How many were taken."""
        return len(self._values) // (len(STAGES) + 1)

    def spreads(self, *, is_traced: bool) -> dict[str, Spread]:
        """Return the spread of each stage, of the decodes that were traced or of the others."""
        return spreads(self._rows(is_traced=is_traced), self._budgets_ms)

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Return how many untraced decodes lie in each bucket: below, between and above EDGES_MS.

        A value on an edge lies above it.
        """
        rows = self._rows(is_traced=False)
        return {stage: bucket_counts(rows[:, k]) for k, stage in enumerate(STAGES)}

    def cost(self) -> Cost:
        """Return what tracing cost."""
        work = {is_traced: self._rows(is_traced=is_traced)[:, WORK] for is_traced in (False, True)}
        return Cost(untraced=spread(work[False].sum(axis=1)), traced=spread(work[True].sum(axis=1)))

    def _rows(self, *, is_traced: bool) -> NDArray[np.float64]:
        rows = np.array(self._values).reshape(-1, len(STAGES) + 1)
        return rows[rows[:, -1] == is_traced, :-1]


def bucket_counts(values: NDArray[np.float64]) -> tuple[int, ...]:
    """Return how many finite ``values`` lie below, between and above :data:`EDGES_MS`."""
    finite = values[np.isfinite(values)]
    buckets = np.searchsorted(EDGES_MS, finite, side="right")
    return tuple(np.bincount(buckets, minlength=len(EDGES_MS) + 1).tolist())
