from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.report_rows import row, selection, selections
from tools.evaluation.figures.decisions import decisions
from tools.evaluation.figures.hard_examples import hard_examples
from tools.evaluation.rows import Row


def test_mistakes_come_surest_first_and_hits_least_sure_first_with_their_time() -> None:
    rows = [
        selection(3, "A", {"A": 0.6, "B": 0.4}),
        selection(4, "A", {"A": 0.5, "B": 0.3, "C": 0.2}),
        selection(5, "B", {"A": 0.7, "B": 0.1, "C": 0.2}, recording="s"),
        selection(6, "D", {"A": 0.99, "B": 0.01}),
        selection(7, "C", {"C": 0.45, "B": 0.3}, above=0.5),
    ]
    found = hard_examples(decisions(rows))
    assert [one.row for one in found.written_wrong] == [6, 5]
    assert [one.row for one in found.unsure_hits] == [4, 3]
    assert [one.row for one in found.withheld_right] == [7]
    second = found.written_wrong[1]
    assert (second.recording, second.start_s, second.stop_s) == ("s", 5.0, 6.0)
    assert (second.meant, second.leading, second.written) == ("B", "A", "A")
    assert (second.meant_posterior, second.meant_rank) == (0.1, 3)
    unknown = found.written_wrong[0]
    assert (unknown.meant_posterior, unknown.meant_rank) == (None, None)


def test_a_threshold_takes_the_place_of_what_was_written() -> None:
    rows = [selection(0, "A", {"A": 0.6}), selection(1, "B", {"A": 0.6, "B": 0.5})]
    found = hard_examples(decisions(rows), threshold=0.7)
    assert found.written_wrong == ()
    assert [one.row for one in found.withheld_right] == [0]
    assert found.threshold == 0.7


def test_sentences_have_no_posterior_of_what_was_meant() -> None:
    sentence = row(reference="good day", hypothesis="good dog", confidence=0.8)
    (found,) = hard_examples(decisions([sentence])).written_wrong
    assert (found.leading, found.score, found.meant_posterior) == ("good dog", 0.8, None)


@given(selections(), st.integers(1, 5))
def test_each_decision_is_of_one_kind_at_most_and_counts_are_of_all(
    rows: list[Row], n_most: int
) -> None:
    found = hard_examples(decisions(rows), n_most=n_most)
    kinds = [found.written_wrong, found.withheld_right, found.unsure_hits]
    numbers = [one.row for kind in kinds for one in kind]
    assert len(numbers) == len(set(numbers))
    totals = [found.n_written_wrong, found.n_withheld_right, found.n_written_right]
    assert [len(kind) for kind in kinds] == [min(n, n_most) for n in totals]
    n_withheld_wrong = sum(not r.hypothesis and r.leading != r.reference for r in rows)
    assert sum(totals) + n_withheld_wrong == len(rows)
