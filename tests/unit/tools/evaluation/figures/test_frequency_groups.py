from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from tests.report_rows import SYMBOLS, row, selection, selections
from tools.evaluation.figures.frequency_groups import (
    GROUPS,
    FrequencyGroups,
    frequency_groups,
    grouped,
    symbol_counts,
)
from tools.evaluation.rows import Row

COUNTS = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 20), min_size=1)


@given(COUNTS, st.none() | st.tuples(st.integers(5, 20), st.integers(0, 5)))
def test_no_symbol_is_in_a_group_of_more_common_ones(
    counts: dict[str, int], at_least: tuple[int, int] | None
) -> None:
    found = grouped(counts, at_least=at_least)
    assert found.keys() == counts.keys()
    ordered = list(found)
    assert ordered == sorted(ordered, key=lambda symbol: (-counts[symbol], symbol))
    ranks = [GROUPS.index(found[symbol]) for symbol in ordered]
    assert ranks == sorted(ranks)
    for one in ordered:
        for other in ordered:
            assert counts[one] != counts[other] or found[one] == found[other]


def test_each_group_holds_a_third_of_what_occurs() -> None:
    counts = {"a": 30, "b": 20, "c": 15, "d": 10, "e": 8, "f": 7, "g": 5, "h": 5}
    found = grouped(counts)
    groups = {name: "".join(s for s in counts if found[s] == name) for name in GROUPS}
    assert groups == {"head": "ab", "medium": "cd", "tail": "efgh"}
    by_count = grouped(counts, at_least=(20, 8))
    groups = {name: "".join(s for s in counts if by_count[s] == name) for name in GROUPS}
    assert groups == {"head": "ab", "medium": "cde", "tail": "fgh"}


@settings(max_examples=40)
@given(selections(), st.none() | st.just({"A": 9, "B": 3, "C": 3, "D": 1}))
def test_groups_are_scikit_learns_micro_averages(
    rows: list[Row], trained: dict[str, int] | None
) -> None:
    found = frequency_groups(rows, trained=trained)
    assert found is not None
    meant = [one.reference for one in rows]
    written = [one.hypothesis for one in rows]
    for group in found.groups:
        symbols = [one.symbol for one in found.distribution if one.group == group.name]
        if not {*meant, *written} & set(symbols):
            assert (group.precision, group.recall, group.f1) == (None, None, None)
            continue
        wanted = metrics.precision_recall_fscore_support(
            meant, written, labels=symbols, average="micro", zero_division=np.nan
        )[:3]
        for value, want in zip((group.precision, group.recall, group.f1), wanted, strict=True):
            assert np.isnan(want) if value is None else value == pytest.approx(want)
        is_meant = np.array([[m == s for s in symbols] for m in meant])
        scores = np.array([[(r.posteriors or {}).get(s, 0.0) for s in symbols] for r in rows])
        if is_meant.any():
            assert group.precision_recall is not None
            average = metrics.average_precision_score(is_meant, scores, average="micro")
            assert group.precision_recall.area == pytest.approx(average)
            assert group.precision_recall.chance == pytest.approx(is_meant.mean())
        else:
            assert group.precision_recall is None
    assert sum(group.support for group in found.groups) == len(rows)
    assert sum(group.share for group in found.groups) == pytest.approx(1.0)
    assert sum(one.share for one in found.distribution) == pytest.approx(1.0)
    assert {one.symbol for one in found.distribution} == {*SYMBOLS, *(trained or ())}
    assert msgspec.json.decode(msgspec.json.encode(found), type=FrequencyGroups) == found


def test_symbols_never_trained_on_are_in_the_tail_and_counted_apart() -> None:
    rows = [selection(k, "ABC"[k % 3], {"A": 0.5, "B": 0.3, "C": 0.2}) for k in range(6)]
    found = frequency_groups(rows, trained={"A": 10, "B": 5})
    assert found is not None
    assert found.counted_in == "training"
    assert found.note == ""
    by_symbol = {one.symbol: one for one in found.distribution}
    assert by_symbol["C"].group == "tail"
    assert (by_symbol["C"].n, by_symbol["C"].n_references) == (0, 2)
    head = found.groups[0]
    assert (head.name, head.recall, head.precision) == ("head", 1.0, 1 / 3)
    assert head.recall_interval is not None


def test_what_the_groups_cannot_tell_is_said() -> None:
    rows = [selection(k, "ABC"[k % 3], {"A": 0.5, "B": 0.3, "C": 0.2}) for k in range(6)]
    found = frequency_groups(rows)
    assert found is not None
    assert [group.name for group in found.groups] == ["head"]
    assert "all symbols are equally common" in found.note
    assert "training's texts are not known" in found.note


def test_sentences_are_grouped_by_character_or_by_word() -> None:
    rows = [row(0, reference="a a a b", hypothesis="a a c"), row(1, reference="b", hypothesis="b")]
    found = frequency_groups(rows, in_words=True, trained=symbol_counts(["a b a"], in_words=True))
    assert found is not None
    assert found.unit == "words"
    assert [(one.symbol, one.n, one.n_references) for one in found.distribution] == [
        ("a", 2, 3),
        ("b", 1, 2),
        ("c", 0, 0),
    ]
    assert found.groups[0].recall == 2 / 3
    assert found.groups[0].precision_recall is None
    assert "no posteriors" in found.note
    characters = frequency_groups(rows)
    assert characters is not None
    assert characters.unit == "characters"
    assert frequency_groups([]) is None
    assert symbol_counts(["ab a"]) == {"a": 2, "b": 1, " ": 1}
