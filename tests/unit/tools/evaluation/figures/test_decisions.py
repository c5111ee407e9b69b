from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from pipeline.errors import RecordingError
from tests.report_rows import row, selection
from tools.evaluation.figures.decisions import decisions


def test_a_selection_is_right_where_its_leading_symbol_is_written_or_not() -> None:
    rows = [
        selection(0, "A", {"A": 0.4, "B": 0.3}, above=0.9),
        selection(1, "B", {"A": 0.95, "B": 0.05}, above=0.9),
    ]
    found = decisions(rows)
    assert found.score_is == "posterior"
    assert [one.leading for one in found.kept] == ["A", "A"]
    assert found.scores.tolist() == [0.4, 0.95]
    assert found.is_right.tolist() == [True, False]


def test_symbols_are_compared_as_they_are_and_sentences_normalised() -> None:
    assert not decisions([row(reference=".", leading=",", confidence=0.5)]).is_right[0]
    sentence = row(reference="Good day!", hypothesis="good  day", confidence=0.5)
    assert decisions([sentence]).is_right[0]
    assert not decisions([sentence], how="none").is_right[0]
    assert decisions([sentence]).score_is == "confidence"


def test_rows_that_do_not_say_how_sure_are_left_out_and_counted() -> None:
    rows = [
        selection(0, "A", {"A": 1.0}),
        row(1, leading="A", confidence=0.7),  # another scale than posteriors
        row(2, hypothesis=""),  # a trial without evidence
    ]
    found = decisions(rows)
    assert (len(found.kept), found.n_left_out, found.score_is) == (1, 2, "posterior")
    alone = decisions(rows[1:])
    assert (len(alone.kept), alone.n_left_out, alone.score_is) == (1, 1, "confidence")
    assert decisions([row(), row(1)]).score_is is None
    assert decisions([]).kept == ()


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"posteriors": {"A": nan}}, "row 7: posterior of 'A': got nan, wanted 0 to 1"),
        ({"posteriors": {"A": 0.5, "B": nan}}, "row 7: posterior of 'B': got nan, wanted 0 to 1"),
        ({"posteriors": {"A": inf}}, "row 7: posterior of 'A': got inf, wanted 0 to 1"),
        ({"posteriors": {"A": -0.1}}, "row 7: posterior of 'A': got -0.1, wanted 0 to 1"),
        ({"posteriors": {"A": 1.1}}, "row 7: posterior of 'A': got 1.1, wanted 0 to 1"),
        ({"posteriors": {}}, "row 7: posteriors are empty, wanted one a symbol"),
        (
            {"posteriors": {"A": 1.0}, "leading": "B"},
            "row 7: leading: got 'B', wanted the symbol of the greatest posterior",
        ),
        (
            {"posteriors": {"A": 0.9, "B": 0.1}, "leading": "B"},
            "row 7: leading: got 'B', wanted the symbol of the greatest posterior",
        ),
        ({"leading": "A", "confidence": nan}, "row 7: confidence: got nan, wanted 0 to 1"),
        ({"confidence": 2.0}, "row 7: confidence: got 2, wanted 0 to 1"),
    ],
)
def test_what_is_no_probability_is_refused(known: dict[str, Any], said: str) -> None:
    with pytest.raises(RecordingError) as caught:
        decisions([row(7, **known)])
    assert str(caught.value) == said


def test_the_leading_symbol_of_equals_is_the_one_that_was_told() -> None:
    found = decisions([row(posteriors={"B": 0.5, "A": 0.5}, leading="A")])
    assert found.kept[0].leading == "A"
    assert decisions([row(posteriors={"B": 0.5, "A": 0.5})]).kept[0].leading == "B"
