from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.evaluation.report.charts import UNIT, Frame, Heat, Series, scale_of

values = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(values | st.none() | st.just(math.nan), max_size=20))
def test_a_scale_holds_all_values_and_a_few_round_ticks(given_values: list[float | None]) -> None:
    scale = scale_of(given_values)
    known = [v for v in given_values if v is not None and math.isfinite(v)]
    assert all(scale.low <= v <= scale.high for v in known)
    assert 2 <= len(scale.ticks) <= 12
    assert list(scale.ticks) == sorted(set(scale.ticks))
    labels = [scale.label(tick) for tick in scale.ticks]
    assert len(set(labels)) == len(labels)
    assert all(0.0 <= scale.share(tick) <= 1.0 for tick in scale.ticks)


def test_ticks_are_labelled_with_the_digits_they_need() -> None:
    assert [UNIT.label(tick) for tick in UNIT.ticks] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    scale = scale_of([0.94, 1.17])
    assert [scale.label(tick) for tick in scale.ticks] == ["0.95", "1.00", "1.05", "1.10", "1.15"]


def test_a_value_beyond_the_scale_is_drawn_at_its_end() -> None:
    assert UNIT.share(7.0) == 1.0
    assert UNIT.share(-7.0) == 0.0


def test_a_path_goes_through_its_points() -> None:
    frame = Frame(UNIT, UNIT, 480, 330)
    points = [(0.0, 0.0), (1.0, 1.0)]
    left, right, bottom, top = frame.left, frame.right, frame.bottom, frame.top
    assert frame.path(Series("", points)) == f"M{left} {bottom} L{right} {top}"
    assert frame.path(Series("", points, "steps")) == f"M{left} {bottom} H{right} V{top}"
    assert frame.path(Series("", [], "steps")) == ""


@pytest.mark.parametrize(("most", "has_counts"), [(9, True), (99, True), (99_999_999, False)])
def test_counts_are_written_where_they_have_room(most: int, has_counts: bool) -> None:  # noqa: FBT001
    heat = Heat("", "", ("a",), ("a", "b"), [[most, 0]])
    assert heat.has_counts is has_counts
    assert heat.shade(0, most) == 1.0
