from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from tools.training.text_figures import best_constant, constant_errors, repeated_share
from tools.training.transcribe import sum_errors


def test_repeats_are_counted_within_a_text_only() -> None:
    assert repeated_share(["abcabc"], n=3) == 1 / 4
    assert repeated_share(["abc", "abc"], n=3) == 0.0
    assert repeated_share(["aaaa"], n=1) == 3 / 4
    assert repeated_share([["a", "b"], []], n=4) == 0.0


@given(st.lists(st.text("ab c", max_size=8), min_size=1, max_size=20))
def test_no_candidate_is_better_than_the_one_chosen(texts: list[str]) -> None:
    chosen = best_constant(texts)
    cost = sum(Levenshtein.distance(chosen, text) for text in texts)
    assert all(cost <= sum(Levenshtein.distance(c, t) for t in texts) for c in {"", *texts})


def test_one_phrase_for_all_is_counted_as_errors() -> None:
    assert sum_errors(constant_errors("abc", ["abc", "abd", "x"])).n_errors == 0 + 1 + 3
    assert best_constant([]) == ""
