"""Word sequences under numbers: equal ones share one, committed words go, sentences begin anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.word_history import WordHistories
from pipeline.word_language_model import WordLanguageModel

ARPA = """\\data\\
ngram 1=4
ngram 2=2
\\1-grams:
-99\t<s>\t-0.3
-0.5\ta\t-0.2
-0.9\tb
-0.7\t</s>
\\2-grams:
-0.1\t<s> a
-0.2\ta b
\\end\\
"""
LM = WordLanguageModel.from_arpa(ARPA.splitlines(), words=("a", "b"))

SENTENCES = st.lists(st.lists(st.integers(0, 1), max_size=4).map(tuple), min_size=1, max_size=6)


def numbered(
    sentences: list[tuple[int, ...]], lm: WordLanguageModel = LM
) -> tuple[WordHistories, list[int]]:
    histories = WordHistories(lm.start)
    numbers = []
    for sentence in sentences:
        number = 0
        for word in sentence:
            gain, after = lm.scores(np.array([histories.state[number]]), np.array([word]))
            score = histories.lm_score[number] + float(gain[0])
            number = histories.longer(number, word, score, int(after[0]))
        numbers.append(number)
    return histories, numbers


@given(SENTENCES)
def test_equal_sequences_have_one_number(sentences: list[tuple[int, ...]]) -> None:
    histories, numbers = numbered(sentences)
    for sentence, number in zip(sentences, numbers, strict=True):
        assert histories.words[number] == sentence
        path = histories.prefixes(number)
        assert [histories.words[k] for k in path] == [
            sentence[:n] for n in range(len(sentence) + 1)
        ]
        assert histories.before(number) == (path[-2] if sentence else 0)
    assert len(set(numbers)) == len(set(sentences))
    assert len(histories) == len({s[:n] for s in sentences for n in range(len(s) + 1)} | {()})


@given(SENTENCES, st.lists(st.integers(0, 1), max_size=3).map(tuple))
def test_committed_words_are_taken_away_and_stay_the_context(
    sentences: list[tuple[int, ...]], start: tuple[int, ...]
) -> None:
    histories, numbers = numbered([start + sentence for sentence in sentences])
    _, (committed,) = numbered([start])
    rest, new = histories.without(len(start), numbers)
    of_start = numbered([start])[0].lm_score[committed]
    for sentence, number in zip(sentences, numbers, strict=True):
        kept = new[number]
        assert rest.words[kept] == sentence
        assert rest.state[kept] == histories.state[number]
        assert rest.lm_score[kept] == pytest.approx(histories.lm_score[number] - of_start)


@given(SENTENCES, st.lists(st.integers(0, 1), max_size=3).map(tuple))
def test_a_sentence_begun_anew_forgets_its_context(
    sentences: list[tuple[int, ...]], start: tuple[int, ...]
) -> None:
    histories, numbers = numbered([start + sentence for sentence in sentences])
    rest, new = histories.without(len(start), numbers)
    begun, newest = rest.anew(new.values(), LM)
    expected, places = numbered(sentences)
    for number, place in zip(numbers, places, strict=True):
        kept = newest[new[number]]
        assert begun.words[kept] == expected.words[place]
        assert begun.state[kept] == expected.state[place]
        assert begun.lm_score[kept] == pytest.approx(expected.lm_score[place])


def test_without_a_model_nothing_is_scored() -> None:
    histories = WordHistories()
    one = histories.longer(0, 1, 0.0, 0)
    begun, new = histories.anew([one, 0], None)
    assert begun.words[new[one]] == (1,)
    assert begun.lm_score[new[one]] == 0.0
    assert new[0] == 0
