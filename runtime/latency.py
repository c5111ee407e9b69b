"""Where the milliseconds go: spreads of every stage over the last decodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runtime.wire.messages import Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from runtime.wire.messages import Latency

STAGES = ("transport", "queue", "filter", "model", "decode", "publish", "total")


def row_of(latency: Latency) -> tuple[float, ...]:
    """Return the milliseconds of every stage; NaN where one is not measured."""
    return tuple(np.nan if (ms := getattr(latency, s)) is None else ms for s in STAGES)


def spread(values: NDArray[np.float64], budget_ms: float | None = None) -> Spread:
    """Return count, mean, percentiles, maximum and share over a budget of finite milliseconds."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Spread(n=0, mean=None, p50=None, p95=None, p99=None, max=None)
    p50, p95, p99 = (float(v) for v in np.percentile(finite, (50, 95, 99)))
    return Spread(
        n=len(finite),
        mean=float(finite.mean()),
        p50=p50,
        p95=p95,
        p99=p99,
        max=float(finite.max()),
        over_budget=None if budget_ms is None else float(np.mean(finite > budget_ms)),
    )


def spreads(rows: NDArray[np.float64], budgets_ms: Mapping[str, float]) -> dict[str, Spread]:
    """Return the spread of each stage over ``(n_decodes, n_stages)`` milliseconds."""
    return {s: spread(rows[:, k], budgets_ms.get(s)) for k, s in enumerate(STAGES)}


class LatencyMonitor:
    """The last ``n_kept`` decodes by stage, in milliseconds; one thread adds, any may ask.

    ``budgets_ms`` has ``total``, and whichever stages have a budget of their own.
    """

    def __init__(self, budgets_ms: Mapping[str, float], n_kept: int = 4096) -> None:
        self._budgets_ms = budgets_ms
        self._budget_ms = budgets_ms["total"]
        self._kept = np.full((n_kept, len(STAGES)), np.nan)
        self._n_seen = 0
        self.n_late = 0

    def add(self, latency: Latency) -> bool:
        """Take one decode; say whether it was over the budget."""
        self._kept[self._n_seen % len(self._kept)] = row_of(latency)
        self._n_seen += 1
        is_late = latency.total > self._budget_ms
        self.n_late += is_late
        return is_late

    def spreads(self) -> dict[str, Spread]:
        """Return the spread of each stage."""
        return spreads(self._kept[: self._n_seen], self._budgets_ms)

    @property
    def over_budget(self) -> float:
        """Share of all decodes that were over the budget."""
        return self.n_late / self._n_seen if self._n_seen else 0.0
