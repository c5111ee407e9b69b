from __future__ import annotations

import numpy as np
import pytest

from runtime.latency import LatencyMonitor
from runtime.wire.messages import Latency


def took(total_ms: float, transport_ms: float | None = 1.0) -> Latency:
    return Latency(
        transport=transport_ms,
        queue=0.1,
        filter=0.2,
        model=0.3,
        decode=0.4,
        publish=0.5,
        total=total_ms,
    )


def test_spreads_are_those_of_numpy_over_what_is_kept() -> None:
    monitor = LatencyMonitor({"total": 50.0}, n_kept=100)
    totals = np.arange(1.0, 151.0)
    late = [monitor.add(took(float(t))) for t in totals]
    spread = monitor.spreads()["total"]
    assert spread.n == 100
    assert spread.p99 == pytest.approx(np.percentile(totals[50:], 99))
    assert spread.max == 150.0
    assert (monitor.n_late, sum(late)) == (100, 100)
    assert monitor.over_budget == pytest.approx(100 / 150)


def test_a_stage_that_is_not_measured_has_no_spread() -> None:
    monitor = LatencyMonitor({"total": 50.0})
    assert monitor.spreads()["total"].p50 is None
    monitor.add(took(2.0, transport_ms=None))
    assert monitor.spreads()["transport"].n == 0
    assert monitor.spreads()["total"].p50 == 2.0
    assert monitor.over_budget == 0.0
