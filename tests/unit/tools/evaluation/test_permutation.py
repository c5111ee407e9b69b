import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.evaluation import pairwise
from tools.evaluation.pairs import Pair
from tools.evaluation.permutation import (
    PermutationTest,
    _can_move,
    _derangements,
    _strata,
    _text_by_text,
    holm,
    permutation_test,
)

WORDS = [f"w{k}" for k in range(14)]


def spoken(rng: np.random.Generator, n_words: int) -> str:
    return " ".join(rng.choice(WORDS, n_words))


def made(rng: np.random.Generator, *, n_texts: int, n_each: int, right: float) -> list[Pair]:
    """Rows of repeated texts; a text's hypotheses are alike, as those of a deaf model may be."""
    pairs = []
    for _ in range(n_texts):
        truth = spoken(rng, int(rng.integers(4, 9)))
        guess = spoken(rng, len(truth.split()))
        for row in range(n_each):
            heard = [a if rng.random() < right else b for a, b in _both(truth, guess)]
            pairs.append(Pair(reference=truth, hypothesis=" ".join(heard), subject=f"s{row % 2}"))
    return pairs


def _both(one: str, other: str) -> list[tuple[str, str]]:
    return list(zip(one.split(), other.split(), strict=True))


def p_of(pairs: list[Pair], n: int = 199) -> float:
    test = permutation_test(pairs, [p.hypothesis for p in pairs], "words", n_permutations=n)
    assert test.p is not None
    return test.p


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), min_size=16, max_size=60), st.integers(0, 99))
def test_no_row_keeps_its_own_text(texts: list[int], seed: int) -> None:
    of = np.array(texts)
    if not _can_move(of):
        return
    moved = _derangements(np.random.default_rng(seed), of, 50)
    assert (np.sort(moved, axis=1) == np.arange(len(of))).all()
    assert (of[moved] != of).all()


def test_strata_hold_whole_texts_of_like_length() -> None:
    rng = np.random.default_rng(0)
    of = rng.integers(0, 100, 1000)
    length = rng.integers(3, 30, 100)[of].astype(float)
    strata = list(_strata(np.arange(1000), of, length))
    assert sorted(np.concatenate(strata).tolist()) == list(range(1000))
    assert [len(np.unique(of[part])) for part in strata] == [20] * 5
    assert sum(len(np.unique(of[part])) for part in strata) == len(np.unique(of))
    ends = [(length[part].min(), length[part].max()) for part in strata]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(ends))


def test_a_reader_passes() -> None:
    rng = np.random.default_rng(1)
    assert p_of(made(rng, n_texts=40, n_each=4, right=0.3)) == 1 / 200


def test_a_deaf_model_with_one_answer_for_each_text_passes_as_often_as_chance_lets_it() -> None:
    rng = np.random.default_rng(2)
    found = [p_of(made(rng, n_texts=32, n_each=6, right=0.0), 99) for _ in range(60)]
    assert np.mean(np.array(found) < 0.05) <= 0.1
    assert 0.35 < np.mean(found) < 0.75


def test_by_rows_alone_would_be_too_sure() -> None:
    rng = np.random.default_rng(3)
    sure = 0
    for _ in range(40):
        pairs = made(rng, n_texts=32, n_each=6, right=0.0)
        test = permutation_test(pairs, [p.hypothesis for p in pairs], "words", n_permutations=99)
        assert test.by_rows is not None
        sure += test.by_rows < 0.05
    assert sure >= 6  # 2 would be chance


def test_a_model_that_knows_the_length_only_does_not_pass() -> None:
    rng = np.random.default_rng(4)
    pairs = [
        Pair(reference=spoken(rng, n), hypothesis=" ".join(["the"] * n))
        for n in rng.integers(2, 30, 200)
    ]
    test = permutation_test(pairs, [p.hypothesis for p in pairs], "words", n_permutations=499)
    assert test.p is not None
    assert test.plain == 1 / 500
    assert test.p > 0.01


def test_with_too_few_texts_there_is_no_p() -> None:
    rng = np.random.default_rng(5)
    pairs = made(rng, n_texts=7, n_each=10, right=0.5)
    test = permutation_test(pairs, [p.hypothesis for p in pairs], "words", n_permutations=9)
    assert test.p is None


def test_two_symbols_at_chance_do_not_pass() -> None:
    rng = np.random.default_rng(6)
    found = []
    for _ in range(60):
        truth, said = rng.choice(["a", "b"], (2, 60))
        pairs = [Pair(reference=a, hypothesis=b) for a, b in zip(truth, said, strict=True)]
        test = permutation_test(pairs, said.tolist(), "selections", n_permutations=99)
        found.append(test.p or 0.0)
    assert np.mean(np.array(found) < 0.05) <= 0.1


def test_the_same_seed_gives_the_same_p() -> None:
    pairs = made(np.random.default_rng(7), n_texts=20, n_each=3, right=0.05)
    assert p_of(pairs) == p_of(pairs)


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_a_table_made_a_few_lines_at_a_time_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    truth, said = rng.choice(list("abcdef"), (2, 90))
    spoken_ones = made(rng, n_texts=24, n_each=3, right=0.1)
    selected = [
        Pair(reference=a, hypothesis=b, subject=f"s{k % 2}")
        for k, (a, b) in enumerate(zip(truth, said, strict=True))
    ]

    def found() -> list[PermutationTest]:
        return [
            permutation_test(pairs, [p.hypothesis for p in pairs], unit, n_permutations=1500)
            for pairs, unit in ((spoken_ones, "words"), (selected, "selections"))
        ]

    whole = found()
    monkeypatch.setattr(pairwise, "MOST_CELLS", 500)
    assert found() == whole


def test_rows_of_one_text_take_those_of_another_in_turn() -> None:
    rng = np.random.default_rng(9)
    place = rng.permutation([0] * 5 + [1] * 2 + [2] * 3)
    table = rng.integers(0, 99, (3, len(place)))
    wanted = [
        [
            table[k, np.resize(np.flatnonzero(place == m), np.sum(place == k))].sum()
            for m in range(3)
        ]
        for k in range(3)
    ]
    np.testing.assert_array_equal(_text_by_text(table, place), wanted)
