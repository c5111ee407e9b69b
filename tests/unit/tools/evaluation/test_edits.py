import jiwer
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tools.evaluation.edits import Unit, cross_edits, edits, sizes

WORD = st.text(alphabet="abc'", min_size=1, max_size=3)
TEXT = st.lists(WORD, min_size=1, max_size=6).map(" ".join)


@given(st.lists(st.tuples(TEXT, TEXT | st.just("")), min_size=1, max_size=6))
def test_corpus_rates_are_jiwers(rows: list[tuple[str, str]]) -> None:
    references, hypotheses = (list(texts) for texts in zip(*rows, strict=True))
    words = edits(references, hypotheses, "words").sum() / sizes(references, "words").sum()
    characters = edits(references, hypotheses, "characters").sum()
    characters = characters / sizes(references, "characters").sum()
    assert words == jiwer.wer(references, hypotheses)
    assert characters == jiwer.cer(references, hypotheses)


@given(st.lists(TEXT, min_size=1, max_size=5), st.sampled_from(["words", "characters"]))
def test_the_diagonal_of_all_against_all_is_each_with_its_own(texts: list[str], unit: Unit) -> None:
    others = texts[1:] + texts[:1]
    assert (np.diag(cross_edits(texts, others, unit)) == edits(texts, others, unit)).all()


def test_a_selection_is_right_or_wrong_as_a_whole() -> None:
    assert edits(["abc", "b", "c"], ["abc", "", "cc"], "selections").tolist() == [0, 1, 1]
    assert sizes(["abc", ""], "selections").tolist() == [1, 1]
    assert cross_edits(["a", "b"], ["b", "b"], "selections").tolist() == [[1, 1], [0, 0]]


def test_words_beyond_any_alphabet_stay_apart() -> None:
    many = [f"word{k}" for k in range(10_000)]
    text = " ".join(many)
    assert edits([text], [text.replace("word9999", "other")], "words").tolist() == [1]
