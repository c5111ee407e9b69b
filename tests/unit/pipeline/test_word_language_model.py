"""Words beside the character model of the same text, which is tested by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arpa import MAX_TOKENS, read_arpa
from pipeline.errors import BundleError
from pipeline.language_model import LanguageModel
from pipeline.word_language_model import WordLanguageModel

ARPA = """\\data\\
ngram 1=6
ngram 2=5
ngram 3=2
\\1-grams:
-99\t<s>\t-0.3
-0.7\t</s>
-0.6\ta\t-0.2
-0.5\tb\t-99
-1.2\tc\t0.1
-1.9\t<unk>
\\2-grams:
-0.2\t<s> a\t-0.1
-0.4\ta b\t-0.6
-0.9\tb a
-0.1\tc c
-0.3\tb </s>
\\3-grams:
-0.05\t<s> a b
-0.6\ta b a
\\end\\
"""
WORDS = ("a", "b", "C", "d")


@pytest.mark.parametrize("with_unknown", ["yes", "no"])
@given(st.lists(st.integers(0, len(WORDS) - 1), max_size=8))
def test_scores_are_those_of_the_character_model(with_unknown: str, said: list[int]) -> None:
    text = ARPA
    if with_unknown == "no":
        text = text.replace("ngram 1=6", "ngram 1=5").replace("-1.9\t<unk>\n", "")
    words = WordLanguageModel.from_arpa(text.splitlines(), words=WORDS, floor=-5.0)
    letters = LanguageModel.from_arpa(text.splitlines(), vocabulary=WORDS, floor=-5.0)
    states, state = np.array([words.start]), letters.start
    for word in said:
        every = np.arange(len(WORDS))
        gains, after = words.scores(np.repeat(states, len(WORDS)), every)
        assert gains == pytest.approx(letters.scores(state), abs=1e-12)
        assert float(words.ends(states)[0]) == pytest.approx(letters.end(state), abs=1e-12)
        states, state = after[word : word + 1], letters.advance(state, word)
    assert words.unigrams == pytest.approx(letters.scores(0), abs=1e-12)


def test_nothing_is_below_the_floor_or_above_certainty() -> None:
    lm = WordLanguageModel.from_arpa(ARPA.splitlines(), words=WORDS, floor=-2.0)
    states = np.repeat(np.arange(8), len(WORDS))
    gains, _ = lm.scores(states, np.tile(np.arange(len(WORDS)), 8))
    assert gains.min() == -2.0
    assert gains.max() <= 0.0


def test_a_model_without_start_begins_in_the_empty_context() -> None:
    text = "\\data\\\nngram 1=2\n\\1-grams:\n-0.3\ta\n-0.3\tb\n\\end\\\n"
    lm = WordLanguageModel.from_arpa(text.splitlines(), words=("a", "b", "z"))
    assert lm.start == 0
    assert lm.unigrams == pytest.approx([-0.3 * math.log(10)] * 2 + [-math.log(2)])


def test_words_may_be_more_than_characters() -> None:
    n = MAX_TOKENS + 1
    lines = ["\\data\\", f"ngram 1={n}", "\\1-grams:", *(f"-4\tw{k}" for k in range(n)), "\\end\\"]
    lm = WordLanguageModel.from_arpa(lines, words=("w5",))
    assert lm.unigrams == pytest.approx([-4 * math.log(10)])
    with pytest.raises(BundleError, match=f"expected 1 to {MAX_TOKENS} tokens"):
        read_arpa(lines)


def test_a_fault_is_told_with_the_file() -> None:
    with pytest.raises(BundleError, match="words.arpa, line 1"):
        WordLanguageModel.from_arpa(["\\data\\"], words=("a",))
