from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.report_rows import row, selection
from tools.evaluation.edits import edits
from tools.evaluation.figures.couples import aligned, counts_by_symbol, couples

TEXT = st.text(alphabet="abc ", max_size=12)


@given(TEXT, TEXT)
def test_an_alignment_keeps_both_texts_and_has_the_fewest_edits(meant: str, written: str) -> None:
    found = aligned(meant, written)
    assert "".join(a for a, _ in found) == meant
    assert "".join(b for _, b in found) == written
    assert ("", "") not in found
    assert sum(a != b for a, b in found) == edits([meant], [written], "characters")[0]


@given(TEXT)
def test_what_is_not_written_is_deleted_and_what_was_not_meant_is_inserted(text: str) -> None:
    assert aligned(text, "") == [(symbol, "") for symbol in text]
    assert aligned("", text) == [("", symbol) for symbol in text]


def test_selections_are_not_normalised_and_sentences_are() -> None:
    unit, found = couples([selection(0, ".", {",": 0.9, ".": 0.1}), row(1, hypothesis="")])
    assert unit == "selections"
    assert found == [[(".", ",")], [("A", "")]]
    said = row(reference="Ab c.", hypothesis="ab")
    assert couples([said]) == (
        "characters",
        [[("a", "a"), ("b", "b"), (" ", ""), ("c", "")]],
    )
    assert couples([said], in_words=True) == ("words", [[("ab", "ab"), ("c", "")]])


def test_each_symbol_is_counted_as_meant_written_and_right() -> None:
    found = counts_by_symbol([("a", "a"), ("a", "b"), ("", "b"), ("c", ""), ("a", "a")])
    assert found == {"a": (3, 2, 2), "b": (0, 2, 0), "c": (1, 0, 0)}
