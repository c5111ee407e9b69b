from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ctc import n_shared

TAILS = st.lists(st.lists(st.integers(0, 2), max_size=6).map(tuple), min_size=1, max_size=5)


@given(TAILS)
def test_what_tails_share_is_a_start_of_each_and_no_longer_one_is(
    tails: list[tuple[int, ...]],
) -> None:
    n = n_shared(tails)
    assert all(tail[:n] == tails[0][:n] for tail in tails)
    assert min(map(len, tails)) == n or len({tail[: n + 1] for tail in tails}) > 1
