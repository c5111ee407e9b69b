"""Where the milliseconds go: spreads of every stage over the last decodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runtime.wire.messages import Spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.wire.messages import Latency

STAGES = ("transport", "queue", "filter", "model", "decode", "publish", "total")


def spread(values: NDArray[np.float64]) -> Spread:
    """Return count, mean, percentiles and maximum of finite milliseconds."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Spread(n=0, mean=None, p50=None, p95=None, p99=None, max=None)
    p50, p95, p99 = (float(v) for v in np.percentile(finite, (50, 95, 99)))
    return Spread(
        n=len(finite), mean=float(finite.mean()), p50=p50, p95=p95, p99=p99, max=float(finite.max())
    )


class LatencyMonitor:
    """The last ``n_kept`` decodes by stage, in milliseconds; one thread adds, any may ask."""

    def __init__(self, budget_ms: float, n_kept: int = 4096) -> None:
        self._budget_ms = budget_ms
        self._kept = np.full((n_kept, len(STAGES)), np.nan)
        self._n_seen = 0
        self.n_late = 0

    def add(self, latency: Latency) -> bool:
        """Take one decode; say whether it was over the budget."""
        row = self._kept[self._n_seen % len(self._kept)]
        row[:] = [np.nan if (ms := getattr(latency, s)) is None else ms for s in STAGES]
        self._n_seen += 1
        is_late = latency.total > self._budget_ms
        self.n_late += is_late
        return is_late

    def spreads(self) -> dict[str, Spread]:
        """Return the spread of each stage."""
        kept = self._kept[: self._n_seen]
        return {stage: spread(kept[:, k]) for k, stage in enumerate(STAGES)}

    @property
    def over_budget(self) -> float:
        """Share of all decodes that were over the budget."""
        return self.n_late / self._n_seen if self._n_seen else 0.0
