from __future__ import annotations

import csv
import io
from itertools import combinations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn import metrics

from tests.report_rows import of_scores, selections
from tools.evaluation.figures.decisions import decisions
from tools.evaluation.figures.operating_points import (
    METRICS,
    SMALLER_IS_BETTER,
    WITHHOLDS_ALL,
    OperatingPoints,
    csv_of,
    operating_points,
    sweep,
)
from tools.evaluation.rows import Row

HEADER = "threshold,mcc,accuracy,precision,recall,f1,fnr,fpr,tp,tn,fp,fn"


@settings(max_examples=20)
@given(selections(most=12))
def test_every_threshold_has_scikit_learns_figures(rows: list[Row]) -> None:
    found = decisions(rows)
    right = found.is_right
    points = sweep(found)
    thresholds = [point.threshold for point in points]
    assert thresholds == sorted({0.0, *found.scores.tolist(), WITHHOLDS_ALL})
    for point in points:
        is_written = found.scores >= point.threshold
        matrix = metrics.confusion_matrix(right, is_written, labels=[False, True])
        assert [[point.tn, point.fp], [point.fn, point.tp]] == matrix.tolist()
        precisions, recalls, f1s, _ = metrics.precision_recall_fscore_support(
            right, is_written, labels=[False, True], zero_division=np.nan
        )
        wanted = {
            "accuracy": metrics.accuracy_score(right, is_written),
            "precision": precisions[1],
            "recall": recalls[1],
            "f1": f1s[1],
            "fpr": 1 - recalls[0],
            "fnr": 1 - recalls[1],
        }
        for name, value in wanted.items():
            got = getattr(point, name)
            assert np.isnan(value) if got is None else got == pytest.approx(value), name
        one_kind = len(set(right.tolist())) == 1 or len(set(is_written.tolist())) == 1
        if one_kind:
            assert point.mcc is None  # where scikit-learn says 0 or 1
        else:
            assert point.mcc == pytest.approx(metrics.matthews_corrcoef(right, is_written))


@given(selections())
def test_the_best_of_each_metric_is_the_best_and_figures_survive_json(rows: list[Row]) -> None:
    found = decisions(rows)
    figures = operating_points(found)
    writing = [point for point in sweep(found) if point.tp + point.fp]
    for metric in METRICS:
        defined = [v for point in writing if (v := getattr(point, metric)) is not None]
        if not defined:
            assert metric not in figures.best
            continue
        best = figures.best[metric].point
        want = min(defined) if metric in SMALLER_IS_BETTER else max(defined)
        assert getattr(best, metric) == want
        assert best.threshold == min(p.threshold for p in writing if getattr(p, metric) == want)
    assert msgspec.json.decode(msgspec.json.encode(figures), type=OperatingPoints) == figures


@settings(max_examples=30)
@given(selections(most=7))
def test_chance_is_the_mean_over_whichever_are_written(rows: list[Row]) -> None:
    found = decisions(rows)
    right = found.is_right
    for best in operating_points(found).best.values():
        n_written = best.point.tp + best.point.fp
        every = []
        for chosen in combinations(range(len(rows)), n_written):
            scores = [float(k in chosen) for k in range(len(rows))]
            every.append(sweep(decisions(of_scores(scores, right.tolist())))[1])
        for metric in METRICS:
            values = [getattr(point, metric) for point in every]
            chance = getattr(best.chance, metric)
            if chance is None:
                assert set(values) == {None}
            else:
                assert chance == pytest.approx(np.mean(values), abs=1e-9)


def test_the_csv_has_exactly_its_columns_and_reads_back() -> None:
    found = decisions(of_scores([0.1, 0.5, 0.5, 0.3], [False, True, False, True]))
    points = sweep(found)
    text = csv_of(points).decode()
    assert text.splitlines()[0] == HEADER
    read = list(csv.DictReader(io.StringIO(text)))
    assert [float(line["threshold"]) for line in read] == [0.0, 0.1, 0.3, 0.5, 2.0]
    assert [line["precision"] for line in read] == ["0.5", "0.5", "0.6666666666666666", "0.5", ""]
    assert [int(line["tp"]) for line in read] == [2, 2, 2, 1, 0]


def test_decisions_of_one_kind_leave_figures_undefined_and_say_so() -> None:
    all_right = operating_points(decisions(of_scores([0.2, 0.9], [True, True])))
    assert all_right.roc is None
    assert all_right.precision_recall is not None
    assert all_right.precision_recall.area == 1.0
    assert set(all_right.best) == {"accuracy", "precision", "recall", "f1", "fnr"}
    assert all_right.undefined == ("no decision is wrong: ROC, mcc and fpr are undefined",)
    all_wrong = operating_points(decisions(of_scores([0.2, 0.9], [False, False])))
    assert all_wrong.roc is None
    assert all_wrong.precision_recall is None
    assert set(all_wrong.best) == {"accuracy", "precision", "f1", "fpr"}
    assert all_wrong.undefined == (
        "no decision is right: both curves, mcc, recall and fnr are undefined",
    )
    # What writes nothing is never best: a decoder that is mute is none.
    assert all_wrong.best["accuracy"].point.threshold == 0.9


def test_no_decision_is_no_sweep() -> None:
    with pytest.raises(ValueError, match="at least one decision"):
        operating_points(decisions([]))


def test_a_threshold_chosen_on_noise_is_no_better_than_chance_held_out() -> None:
    rng = np.random.default_rng(3)
    chosen, held = [], []
    for _ in range(40):
        rights = (rng.random(40) < 0.5).tolist()
        best = operating_points(decisions(of_scores(rng.random(40).tolist(), rights))).best["mcc"]
        assert best.held_out is not None
        assert best.point.mcc is not None
        chosen.append(best.point.mcc)
        held.append(best.held_out.mcc or 0.0)
    assert np.mean(chosen) > 0.15
    assert abs(np.mean(held)) < 0.1


def test_a_threshold_is_held_out_by_whole_recordings() -> None:
    clear = of_scores([0.9, 0.2], [True, False], recording="r")
    other = of_scores([0.8, 0.1], [True, False], recording="s")
    held = operating_points(decisions([*clear, *other])).best["mcc"].held_out
    assert held is not None
    # r is decided by what is best on s, 0.8, and s by 0.9, which loses its hit.
    assert (held.tp, held.fp, held.fn, held.tn) == (1, 0, 1, 2)
    assert operating_points(decisions(clear)).best["mcc"].held_out is None
