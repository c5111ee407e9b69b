import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tools.benchmarking.guard import Guard
from tools.compression.guard import LEAST_TEXTS


def guard(n_texts: int, n_each: int, *, unit: str = "characters", drop: float = 0.005) -> Guard:
    texts = [f"text {k}" for k in range(n_texts)]
    sizes = np.full(n_texts, n_each)
    return Guard(texts, ["p"] * n_texts, sizes, unit=unit, max_drop=drop)  # type: ignore[arg-type]


def errors(n_texts: int, n_wrong: int, each: int = 1) -> np.ndarray:
    """The first ``n_wrong`` texts have ``each`` errors."""
    found = np.zeros(n_texts, np.int64)
    found[:n_wrong] = each
    return found


def test_the_bundle_itself_is_within():
    own = errors(40, 3)
    found = guard(40, 30).judge(own, own)
    assert (found.verdict, found.more, found.n_wanted) == ("within", 0.0, None)
    assert found.error == pytest.approx(3 / 1200)
    assert found.wrong == tuple(own.tolist())


def test_equal_texts_are_within_where_there_are_enough_of_them():
    own = errors(40, 3)
    assert guard(40, 30).judge(own.copy(), own).verdict == "within"
    few = guard(12, 30).judge(own[:12].copy(), own[:12])
    assert few.verdict == "cannot tell"
    assert few.more_high == pytest.approx(3 / 360)
    assert few.n_wanted == 600


def test_a_large_drop_is_beyond_and_a_small_one_cannot_be_told():
    own = errors(60, 0)
    beyond = guard(60, 30).judge(errors(60, 50, each=2), own)
    assert beyond.verdict == "beyond"
    assert beyond.more == pytest.approx(100 / 1800)
    assert 0.005 < beyond.more_low < beyond.more < beyond.more_high
    unsure = guard(60, 30).judge(errors(60, 7), own)  # 0.39 % more, somewhat uncertain
    assert unsure.verdict == "cannot tell"
    assert unsure.n_wanted is not None
    assert unsure.n_wanted > 1800
    worse = guard(60, 30).judge(errors(60, 10), own)  # 0.56 % more, but not surely over 0.5 %
    assert (worse.verdict, worse.n_wanted) == ("cannot tell", None)


def test_a_handful_of_texts_proves_nothing_however_long():
    own = errors(LEAST_TEXTS - 1, 0)
    for found in (own.copy(), errors(LEAST_TEXTS - 1, LEAST_TEXTS - 1, each=500)):
        assert guard(LEAST_TEXTS - 1, 5000).judge(found, own).verdict == "cannot tell"


def test_of_a_bundle_that_reads_nothing_nobody_can_tell():
    texts, sizes = [f"text {k}" for k in range(100)], np.full(100, 30)
    silent = Guard(
        texts, texts, sizes, unit="characters", max_drop=0.005, constant_error=0.8
    )  # fmt: skip
    for n_each, wanted in ((30, "cannot tell"), (24, "cannot tell"), (3, "within")):
        own = np.full(100, n_each)
        found = silent.judge(own.copy(), own)
        assert (found.verdict, found.n_wanted) == (wanted, None)


def test_trials_are_drawn_one_by_one():
    own = errors(64, 1)
    found = guard(64, 1, unit="selections").judge(own.copy(), own)
    assert (found.verdict, found.n_wanted) == ("cannot tell", 600)


@given(
    arrays(np.int64, 24, elements=st.integers(0, 4)),
    arrays(np.int64, 24, elements=st.integers(0, 4)),
)
def test_bounds_hold_the_estimate_and_fewer_errors_are_never_beyond(
    one: np.ndarray, other: np.ndarray
):
    found = guard(24, 20).judge(one, other)
    assert found.more_low <= found.more <= found.more_high
    assert found.more == pytest.approx((one.sum() - other.sum()) / 480)
    if (one <= other).all():
        assert found.verdict != "beyond"
