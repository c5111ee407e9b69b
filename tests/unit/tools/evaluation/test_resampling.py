import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.evaluation.resampling import Resampling

ROW = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 9), st.integers(1, 9))
ROWS = st.lists(ROW, min_size=1, max_size=20)


@given(ROWS)
def test_a_draw_counts_a_row_as_often_as_its_text_and_its_person(
    rows: list[tuple[int, int, int, int]],
) -> None:
    texts, people, errors, sizes = (np.array(part) for part in zip(*rows, strict=True))
    resampling = Resampling(texts.tolist(), people.tolist(), n_draws=7)
    rates = resampling.rates(resampling.table(errors, sizes))
    for draw, rate in enumerate(rates):
        weight = (
            resampling._text_weight[draw, resampling._text]
            * resampling._person_weight[draw, resampling._person]
        )
        if weight @ sizes:
            assert rate == pytest.approx((weight @ errors) / (weight @ sizes))
        else:
            assert np.isnan(rate)


@given(ROWS)
def test_the_estimate_is_the_micro_average(rows: list[tuple[int, int, int, int]]) -> None:
    texts, people, errors, sizes = (np.array(part) for part in zip(*rows, strict=True))
    resampling = Resampling(texts.tolist(), people.tolist(), n_draws=10)
    assert resampling.table(errors, sizes).rate == pytest.approx(errors.sum() / sizes.sum())


def test_a_system_differs_from_itself_by_nothing() -> None:
    rng = np.random.default_rng(0)
    resampling = Resampling(list(range(50)), [""] * 50)
    table = resampling.table(rng.integers(0, 9, 50), np.full(50, 9))
    difference = resampling.difference(table, table)
    assert (difference.estimate, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_ten_rows_of_a_text_are_no_ten_facts() -> None:
    rng = np.random.default_rng(1)
    errors = np.repeat(rng.integers(0, 2, 30), 10)
    ones = np.ones(300, np.int64)
    by_text = Resampling(np.repeat(np.arange(30), 10).tolist(), [""] * 300)
    by_row = Resampling(list(range(300)), [""] * 300)
    wide = by_text.interval(by_text.table(errors, ones))
    narrow = by_row.interval(by_row.table(errors, ones))
    assert wide.high - wide.low > 2.5 * (narrow.high - narrow.low)


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(2)
    n_covered = 0
    for _ in range(200):
        level = np.repeat(rng.uniform(0.1, 0.5, 60), 5)  # of each text
        errors = (rng.random(300) < level).astype(np.int64)
        resampling = Resampling(np.repeat(np.arange(60), 5).tolist(), [""] * 300, n_draws=400)
        found = resampling.interval(resampling.table(errors, np.ones(300, np.int64)))
        n_covered += found.low <= 0.3 <= found.high
    assert 0.90 * 200 <= n_covered <= 0.99 * 200
