"""Kneser-Ney models: probabilities sum to one, counts are the method's, the ARPA says the same."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tools
from pipeline.language_model import LanguageModel
from tools.language.language_model import END, START, NgramModel, arpa_lines, clean_phrases, train

PHRASES = st.lists(st.text(alphabet="ab c'", min_size=1, max_size=8), min_size=1, max_size=20)
EVERYDAY = Path(tools.__file__).parent / "data" / "everyday_train.txt"


def tokens_of(model: NgramModel) -> list[str]:
    return [token for token in model.p[0] if token != START]


@given(PHRASES, st.integers(1, 5), st.sampled_from([0.0, 0.5, 2.0]), st.integers(0, 2**32))
def test_probabilities_sum_to_one_in_every_context(
    lines: list[str], order: int, prune: float, seed: int
) -> None:
    phrases = list(clean_phrases([*lines, "abba cab"]))
    model = train(phrases, order=order, prune=prune)
    rng = np.random.default_rng(seed)
    tokens = tokens_of(model)
    for _ in range(20):
        context = START * rng.integers(2) + "".join(rng.choice(list("ab c'"), rng.integers(7)))
        total = sum(model.probability(context, token) for token in tokens)
        assert total == pytest.approx(1.0, abs=1e-9)
        assert all(model.probability(context, token) > 0 for token in tokens)


@pytest.mark.parametrize("prune", [0.0, 1.0])
def test_the_written_file_sums_to_one_within_a_millionth(prune: float) -> None:
    phrases = list(clean_phrases(EVERYDAY.read_text(encoding="utf-8").splitlines()))
    model = train(phrases[:600], order=5, prune=prune)
    vocabulary = tuple(sorted({c for phrase in phrases[:600] for c in phrase}))
    lm = LanguageModel.from_arpa(arpa_lines(model), vocabulary=vocabulary, floor=-1e6)
    rng = np.random.default_rng(5)
    state = lm.start
    for _ in range(500):
        scores = lm.scores(state)
        assert math.exp(lm.end(state)) + np.exp(scores).sum() == pytest.approx(1.0, abs=1e-6)
        symbol = int(rng.choice(len(scores), p=np.exp(scores) / np.exp(scores).sum()))
        state = lm.start if rng.random() < 0.05 else lm.advance(state, symbol)


@given(PHRASES, st.integers(1, 5), st.sampled_from([0.0, 1.0]))
def test_the_arpa_text_says_what_the_model_says(lines: list[str], order: int, prune: float) -> None:
    phrases = list(clean_phrases([*lines, "abba cab"]))
    model = train(phrases, order=order, prune=prune)
    vocabulary = tuple("ab c'")
    known = set(tokens_of(model))
    lm = LanguageModel.from_arpa(arpa_lines(model), vocabulary=vocabulary, floor=-1e6)
    for phrase in phrases[:5]:
        state, context = lm.start, START
        for symbol in phrase:
            for k, other in enumerate(vocabulary):
                if other in known:
                    p = model.probability(context, other)
                    assert lm.scores(state)[k] == pytest.approx(math.log(p), abs=1e-5)
            state, context = lm.advance(state, vocabulary.index(symbol)), context + symbol
        assert lm.end(state) == pytest.approx(math.log(model.probability(context, END)), abs=1e-5)


def test_lower_orders_count_continuations() -> None:
    # Francisco's argument in letters: b is frequent, but only ever after a.
    model = train(["ab"] * 20 + ["ac", "bc", "cc", "dc"], order=2)
    assert model.p[0]["c"] > model.p[0]["b"]
    assert model.probability("a", "b") > model.probability("a", "c")


def test_discounts_fall_back_when_counts_do_not_give_them() -> None:
    model = train(["a"], order=3)
    assert model.probability(START, "a") == pytest.approx(0.75, abs=0.01)


def test_pruning_drops_ngrams_and_keeps_the_context_of_those_it_keeps() -> None:
    phrases = list(clean_phrases(EVERYDAY.read_text(encoding="utf-8").splitlines()))[:400]
    whole, small = train(phrases, order=5), train(phrases, order=5, prune=1.5)
    assert sum(map(len, small.p)) < 0.8 * sum(map(len, whole.p))
    for shorter, longer in zip(small.p, small.p[1:], strict=False):
        assert {gram[:-1] for gram in longer} <= shorter.keys()


def test_phrases_are_cleaned() -> None:
    lines = ["  Hello\tTHERE \x07", "", " \n", "E\u0301te\u0301", "a\x02b\x03"]
    assert list(clean_phrases(lines)) == ["hello there", "été", "a b"]


def test_progress_is_told_order_by_order() -> None:
    told: list[int] = []
    train(["abc"], order=3, on_order=told.append)
    assert told == [1, 2, 3]
