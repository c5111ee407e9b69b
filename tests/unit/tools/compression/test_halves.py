"""What is searched on and what confirms have nothing in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from tools.compression.halves import Row, halves

ROWS = st.lists(
    st.builds(Row, st.sampled_from("abcdefgh"), st.sampled_from(["1", "2", "3", "4"])),
    min_size=1,
    max_size=30,
)


@given(ROWS)
def test_no_text_and_no_session_is_in_both(rows: list[Row]) -> None:
    try:
        search, confirm = halves(rows)
    except RecordingError:
        return
    assert search
    assert confirm
    for what in range(2):
        assert not {rows[k][what] for k in search} & {rows[k][what] for k in confirm}


def test_nothing_is_lost_where_sessions_share_no_text() -> None:
    rows = [Row(text, session) for text, session in zip("abcdef", "112233", strict=True)]
    search, confirm = halves(rows)
    assert sorted(search + confirm) == list(range(6))
    assert 0 in search  # ranges are measured on the first session: it must not confirm


def test_a_text_that_all_read_counts_in_one_part() -> None:
    rows = [Row(text, session) for session in "12" for text in "abcd"]
    search, confirm = halves(rows)
    assert {rows[k].session for k in search} == {"1"}
    assert len(search) == len(confirm) == 2


@pytest.mark.parametrize("rows", [[Row("a", "1"), Row("b", "1")], [Row("a", "1"), Row("a", "2")]])
def test_too_little_for_two_parts_is_refused(rows: list[Row]) -> None:
    with pytest.raises(RecordingError, match="wanted two or more of different texts"):
        halves(rows)
