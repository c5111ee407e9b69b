"""The guard says no where it should: to a loss, to doubt, and to what is slower."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.compression.guard import Loss, is_fast_enough, judge_loss
from tools.evaluation.resampling import Resampling

SIZE = 40
"""Characters of a text."""


def judged(extra: list[int], *, most: float, base: int = 2, constant: float = 0.7) -> Loss:
    """Return the judgement of a system with ``extra`` more errors in each text than the other."""
    drawn = Resampling([str(k) for k in range(len(extra))], [""] * len(extra), n_draws=800)
    sizes = np.full(len(extra), SIZE)
    before = np.full(len(extra), base)
    return judge_loss(
        drawn.table(before + np.array(extra), sizes),
        drawn.table(before, sizes),
        drawn=drawn,
        most=most,
        constant=constant,
    )


def test_the_same_errors_in_many_texts_are_held() -> None:
    found = judged([0] * 125, most=0.005)  # 5000 characters
    assert found.verdict == "held"
    assert found.bound == pytest.approx(3 / 5000)


def test_the_same_errors_in_few_characters_tell_nothing() -> None:
    found = judged([0] * 10, most=0.005)  # 400 characters: 3 of them may differ unseen
    assert found.verdict == "cannot tell"
    assert found.n_needed == pytest.approx(600, abs=1)
    assert "cannot tell whether below 0.50%, it takes about 600 characters" in found.said(
        "characters"
    )


def test_a_few_long_texts_tell_nothing_however_long() -> None:
    for extra, n_needed in ((0, 400), (30, None)):
        found = judged([extra] * 9, most=0.5)
        assert (found.verdict, found.n_needed) == ("cannot tell", n_needed)


def test_more_errors_than_allowed_are_lost() -> None:
    found = judged([1] * 100, most=0.02)  # 2.5 %
    assert (found.verdict, found.n_needed) == ("lost", None)
    assert found.said("characters").endswith(": more errors than the 2.00% that is allowed")


def test_who_errs_as_much_as_a_constant_text_has_nothing_to_lose_and_proves_nothing() -> None:
    found = judged([0] * 125, most=0.01, base=30, constant=0.75)
    assert (found.verdict, found.n_needed) == ("cannot tell", None)
    assert "errs as much as always saying the same (75.0% and 75.0%)" in found.said("characters")
    assert judged([0] * 125, most=0.01, base=29, constant=0.75).verdict == "held"


def between(seed: int, n_texts: int) -> tuple[list[int], float]:
    """Return differences, and a limit that lies above their mean and below its bound."""
    rng = np.random.default_rng(seed)
    extra = [int(k) for k in rng.integers(-2, 3, n_texts)]
    found = judged(extra, most=0.5)
    return extra, found.more + 0.6 * (found.bound - found.more)


def test_more_than_allowed_that_may_be_chance_cannot_be_told() -> None:
    extra, _ = between(3, 60)
    more = judged(extra, most=0.5).more
    found = judged(extra, most=more - 0.0005)
    assert (found.verdict, found.n_needed) == ("cannot tell", None)
    assert found.low < found.most < found.more
    assert "so far it is not" in found.said("characters")


def test_what_is_allowed_must_lie_above_the_bound_and_not_above_the_estimate() -> None:
    extra, most = between(0, 60)
    found = judged(extra, most=most)
    assert found.more < most < found.bound
    assert found.verdict == "cannot tell"


def test_the_number_needed_is_about_enough() -> None:
    extra, most = between(1, 40)
    found = judged(extra, most=most)
    assert found.n_needed is not None
    times = -(-found.n_needed // found.n_units)
    assert 2 <= times <= 4
    assert judged(extra * times, most=most).verdict == "held"


def test_a_system_at_the_limit_is_let_through_one_time_in_twenty() -> None:
    rng = np.random.default_rng(2)
    n_held = sum(
        judged([int(k) for k in rng.poisson(0.8, 60)], most=0.8 / SIZE).verdict == "held"
        for _ in range(200)
    )
    assert n_held <= 20  # 10 are expected, 18 are within chance


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=10, max_size=40), st.floats(0.001, 0.2))
def test_held_means_that_the_bound_is_below_and_no_bound_is_at_the_estimate(
    extra: list[int], most: float
) -> None:
    found = judged(extra, most=most, base=3)
    assert (found.verdict == "held") == (found.bound < most)
    assert found.low <= found.more < found.bound
    assert (found.verdict == "lost") == (found.low > most)


@pytest.mark.parametrize(
    ("bound", "claim", "is_so"),
    [
        (0.99, "faster", True),
        (1.0, "faster", False),
        (1.2, "faster", False),
        (1.04, "smaller", True),
        (1.05, "smaller", False),
    ],
)
def test_a_step_that_may_be_slower_is_refused(bound: float, claim: str, is_so: bool) -> None:  # noqa: FBT001
    assert is_fast_enough(bound, claim) is is_so  # type: ignore[arg-type]
