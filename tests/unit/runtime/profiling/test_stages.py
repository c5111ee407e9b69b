from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.latency import STAGES
from runtime.profiling.stages import EDGES_MS, MIN_DECODES, StageRows, bucket_counts
from runtime.wire.messages import Latency

BUDGETS_MS = {"model": 5.0, "total": 10.0}
milliseconds = st.floats(0, 1e5)


def took(ms: float, *, transport: float | None = None) -> Latency:
    return Latency(
        transport=transport, queue=0.0, filter=ms, model=ms, decode=ms, publish=ms, total=4 * ms
    )


@given(st.lists(st.tuples(milliseconds, st.booleans()), max_size=60))
def test_traced_decodes_and_others_are_told_apart(decodes: list[tuple[float, bool]]) -> None:
    rows = StageRows(BUDGETS_MS)
    for ms, is_traced in decodes:
        rows.add(took(ms), is_traced=is_traced)
    assert rows.n_decodes == len(decodes)
    for is_traced in (False, True):
        values = np.array([ms for ms, was_traced in decodes if was_traced == is_traced])
        found = rows.spreads(is_traced=is_traced)
        assert tuple(found) == STAGES
        assert found["transport"].n == 0
        assert found["model"].n == len(values)
        if len(values):
            assert found["model"].p99 == np.percentile(values, 99)
            assert found["model"].over_budget == np.mean(values > 5.0)
            assert found["filter"].over_budget is None
    untraced = [ms for ms, is_traced in decodes if not is_traced]
    assert sum(rows.counts()["decode"]) == len(untraced)
    assert sum(rows.counts()["transport"]) == 0


@given(st.lists(milliseconds | st.sampled_from(EDGES_MS), max_size=60))
def test_every_value_lies_in_its_bucket(values: list[float]) -> None:
    bounds = [-np.inf, *EDGES_MS, np.inf]
    expected = [sum(low <= value < high for value in values) for low, high in pairwise(bounds)]
    assert list(bucket_counts(np.array(values))) == expected


def test_edges_are_one_two_five() -> None:
    assert EDGES_MS[:4] == (0.01, 0.02, 0.05, 0.1)
    assert EDGES_MS[-3:] == (2000.0, 5000.0, 10000.0)


@pytest.mark.parametrize("n_traced", [MIN_DECODES - 1, MIN_DECODES])
def test_cost_is_told_where_there_is_enough_of_both(n_traced: int) -> None:
    rows = StageRows(BUDGETS_MS)
    for _ in range(MIN_DECODES):
        rows.add(took(1.0, transport=50.0), is_traced=False)
    for _ in range(n_traced):
        rows.add(took(1.5, transport=90.0), is_traced=True)
    cost = rows.cost()
    assert (cost.untraced.p50, cost.traced.p50) == (4.0, 6.0)  # waiting is no work
    assert cost.p50_ms == (2.0 if n_traced == MIN_DECODES else None)
