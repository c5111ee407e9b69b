"""Words of a text, and characters that stand for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from pipeline.word_language_model import WordLanguageModel
from tools.language.language_model import arpa_lines, train
from tools.language.words import SURROGATES, WordCodes, read_vocabulary, split_words


def test_words_are_letters_and_the_apostrophes_between_them() -> None:
    said = "\u201cdon\u2019t\u201d, she said: it's 'fine' -- well-known, 3rd o'clock!"
    assert split_words(said) == [
        "don't", "she", "said", "it's", "fine", "well", "known", "3rd", "o'clock",
    ]  # fmt: skip
    assert split_words("...") == []


def test_a_vocabulary_is_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_text("To\tT UW\nto\tT AH\n\ntwo\n")
    assert read_vocabulary(path) == ["to", "two"]
    path.write_bytes(b"\n")
    with pytest.raises(RecordingError, match="no words, expected one a line"):
        read_vocabulary(path)
    path.write_bytes(b"caf\xe9")
    with pytest.raises(RecordingError, match="byte 3 is not UTF-8"):
        read_vocabulary(path)
    with pytest.raises(RecordingError, match="No such file"):
        read_vocabulary(tmp_path / "missing")


@given(st.lists(st.sampled_from(["a", "b", "to", "<unk>"]), max_size=9))
def test_codes_tell_words_apart(words: list[str]) -> None:
    codes = WordCodes(["a", "to"])
    coded = codes.encode(words)
    names = codes.names()
    assert [names[c] for c in coded] == [w if w in ("a", "to") else "<unk>" for w in words]


def test_no_code_is_half_a_character() -> None:
    codes = WordCodes()
    coded = codes.encode(str(k) for k in range(SURROGATES + 10))
    assert len(set(coded)) == len(coded)
    coded.encode("utf-8")


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=6), min_size=1, max_size=12))
def test_what_follows_any_context_sums_to_one_unseen_words_too(phrases: list[list[str]]) -> None:
    codes = WordCodes()
    coded = [codes.encode(phrase) for phrase in phrases]
    words = ["a", "b", "c", "d", "e"]
    model = train(coded, order=3, unseen=codes.encode(words))
    lm = WordLanguageModel.from_arpa(arpa_lines(model, codes.names()), words=words, floor=-1e6)
    states = np.array([0, lm.start])
    for word in range(len(words)):
        after = lm.scores(states, np.full(len(states), word))[1]
        states = np.unique(np.concatenate((states, after)))
    for state in states:
        same = np.full(len(words), state)
        total = np.exp(lm.scores(same, np.arange(len(words)))[0]).sum()
        assert total + np.exp(lm.ends(same[:1]))[0] == pytest.approx(1.0, abs=1e-5)
