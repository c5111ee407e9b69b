from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics

from models.speller_validation import wilson_interval
from tests.report_rows import SYMBOLS, row, selection, selections
from tools.evaluation.edits import edits
from tools.evaluation.figures.confusion import Confusion, confusion
from tools.evaluation.rows import Row

TEXT = st.text(alphabet="ab c", min_size=1, max_size=8).map(lambda t: " ".join(t.split()) or "a")


def found_in(rows: list[Row]) -> Confusion:
    found = confusion(rows)
    assert found is not None
    return found


@settings(max_examples=30)
@given(selections())
def test_figures_of_selections_are_scikit_learns(rows: list[Row]) -> None:
    found = found_in(rows)
    meant = [one.reference for one in rows]
    written = [one.hypothesis for one in rows]
    symbols = list(found.symbols[:-1])
    assert symbols == sorted({*meant, *written} - {""})
    matrix = metrics.confusion_matrix(meant, written, labels=list(found.symbols))
    assert found.matrix().tolist() == matrix.tolist()
    each = metrics.precision_recall_fscore_support(
        meant, written, labels=symbols, zero_division=np.nan
    )
    for k, one in enumerate(found.figures):
        got = [one.precision, one.recall, one.f1, one.support]
        for value, wanted in zip(got, (part[k] for part in each), strict=True):
            assert np.isnan(wanted) if value is None else value == pytest.approx(wanted)
    macro = metrics.precision_recall_fscore_support(
        meant, written, labels=symbols, average="macro", zero_division=0
    )[:3]
    assert (found.macro_precision, found.macro_recall, found.macro_f1) == pytest.approx(macro)
    assert found.accuracy.share == pytest.approx(metrics.accuracy_score(meant, written))
    if found.mcc is None:
        assert len(set(meant)) == 1 or len(set(written)) == 1
    else:
        assert found.mcc == pytest.approx(metrics.matthews_corrcoef(meant, written))
    assert found.n_withheld == written.count("")
    assert msgspec.json.decode(msgspec.json.encode(found), type=Confusion) == found


@settings(max_examples=30)
@given(selections(least=8))
def test_areas_by_symbol_are_scikit_learns(rows: list[Row]) -> None:
    found = found_in(rows)
    meant = np.array([one.reference for one in rows])
    scores = np.array([[(r.posteriors or {})[s] for s in SYMBOLS] for r in rows])
    for one in found.figures:
        is_meant, of_symbol = meant == one.symbol, scores[:, SYMBOLS.index(one.symbol)]
        if not is_meant.any():
            assert one.average_precision is None
            continue
        average = metrics.average_precision_score(is_meant, of_symbol)
        assert one.average_precision == pytest.approx(average)
        if is_meant.all():
            assert one.roc_auc is None
            assert found.macro_roc_auc is None
        else:
            assert one.roc_auc == pytest.approx(metrics.roc_auc_score(is_meant, of_symbol))
    if set(meant) == set(SYMBOLS):
        macro = metrics.roc_auc_score(meant, scores, multi_class="ovr", labels=list(SYMBOLS))
        assert found.macro_roc_auc == pytest.approx(macro)


@settings(max_examples=30)
@given(st.lists(st.tuples(TEXT, TEXT | st.just("")), min_size=1, max_size=6))
def test_the_matrix_of_sentences_holds_every_character_and_every_edit(
    texts: list[tuple[str, str]],
) -> None:
    rows = [row(k, reference=a, hypothesis=b) for k, (a, b) in enumerate(texts)]
    found = found_in(rows)
    matrix = found.matrix()
    references, hypotheses = [a for a, _ in texts], [b for _, b in texts]
    assert matrix[:-1].sum() == sum(map(len, references)) == found.accuracy.total
    assert matrix[:, :-1].sum() == sum(map(len, hypotheses))
    assert matrix[-1, -1] == 0
    n_edits = edits(references, hypotheses, "characters").sum()
    assert matrix.sum() - np.trace(matrix) == n_edits
    assert found.accuracy.right == np.trace(matrix)
    assert (found.n_withheld, found.n_inserted) == (matrix[:, -1].sum(), matrix[-1].sum())
    assert found.accuracy.low <= found.accuracy.share <= found.accuracy.high
    for meant in found.symbols:
        rates = [cell.rate for cell in found.cells if cell.meant == meant]
        assert not rates or sum(rates) == pytest.approx(1.0)


@given(st.integers(1, 200), st.data())
def test_wilsons_interval_is_scipys(n: int, data: st.DataObject) -> None:
    n_right = data.draw(st.integers(0, n))
    wanted = binomtest(n_right, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(n_right, n) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_chance_stands_beside_accuracy() -> None:
    rows = [selection(k, "AB"[k % 2], {"A": 0.4, "B": 0.3, "C": 0.2, "D": 0.1}) for k in range(8)]
    accuracy = found_in(rows).accuracy
    assert (accuracy.right, accuracy.total, accuracy.share) == (4, 8, 0.5)
    assert accuracy.chance == 0.25  # one of four symbols
    assert accuracy.exchanged == 0.5  # always A, and half are A
    told = found_in([row(0, leading="A"), row(1, reference="B", leading="A")]).accuracy
    assert told.chance == 0.5  # no posteriors: one of the symbols that were meant


def test_sentences_written_for_others_show_what_alignment_alone_gives() -> None:
    rows = [
        row(0, reference="abcd", hypothesis="abcd"),
        row(1, reference="dcba", hypothesis="dcba"),
        row(2, reference="abcd", hypothesis="abcd"),
    ]
    accuracy = found_in(rows).accuracy
    assert (accuracy.share, accuracy.chance) == (1.0, None)
    assert accuracy.exchanged == 0.25
    assert found_in(rows[::2]).accuracy.exchanged is None


def test_nothing_meant_is_no_confusion() -> None:
    assert confusion([]) is None
    assert confusion([row(reference="", hypothesis="a")]) is None
    assert confusion([row(reference="?!", hypothesis="a")]) is None


def test_characters_beyond_any_keyboard_stay_few_cells() -> None:
    text = "".join(chr(0x4E00 + k) for k in range(3000))
    found = found_in([row(reference=text, hypothesis=text[::-1])])
    assert len(found.symbols) == 3001
    assert len(found.cells) <= 6000
