from __future__ import annotations

import msgspec
from hypothesis import given, settings

from tests.report_rows import row, selections
from tools.evaluation.figures.figures import Figures, figures, trained_counts
from tools.evaluation.passes.overlap import Overlap
from tools.evaluation.rows import Row
from tools.recordings.digests import text_digest


@settings(max_examples=20)
@given(selections())
def test_figures_are_json_that_reads_back(rows: list[Row]) -> None:
    found = figures(rows, "selections", how="none")
    assert None not in (found.confusion, found.frequency_groups, found.operating_points)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Figures) == found


def test_words_have_no_matrix_and_rows_without_confidence_no_thresholds() -> None:
    rows = [row(reference="good day", hypothesis="good")]
    found = figures(rows, "words", trained={"good": 3, "day": 1})
    assert (found.confusion, found.operating_points, found.hard_examples) == (None, None, None)
    assert found.frequency_groups is not None
    assert found.frequency_groups.unit == "words"
    assert found.frequency_groups.counted_in == "training"
    assert figures(rows, "characters").confusion is not None
    assert figures([], "characters") == Figures(
        confusion=None, frequency_groups=None, operating_points=None, hard_examples=None
    )


def test_symbols_are_counted_in_training_only_where_all_of_its_texts_are_known() -> None:
    texts = ("Ab a.", "b")
    digests = frozenset(map(text_digest, texts))
    known = Overlap(texts, {}, digests)
    assert trained_counts(known, "characters") == {"a": 2, "b": 2, " ": 1}
    assert trained_counts(known, "words", how="none") == {"Ab": 1, "a.": 1, "b": 1}
    assert trained_counts(known, "selections") is None
    in_part = Overlap(texts[:1], {}, digests)
    assert trained_counts(in_part, "characters") is None
    assert trained_counts(Overlap(None, {}, digests), "characters") is None
    assert trained_counts(Overlap((), {}, frozenset()), "characters") is None
