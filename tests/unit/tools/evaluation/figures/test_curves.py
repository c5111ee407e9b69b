"""Curves and areas are scikit-learn's, ties and cases of one kind included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from tools.evaluation.figures.curves import MOST_POINTS, precision_recall, roc, steps

SCORES = st.sampled_from((0.0, 1e-300, 0.1, 0.1 + 1e-16, 0.5, 0.9, 1.0)) | st.floats(0, 1)
CASES = st.lists(st.tuples(st.booleans(), SCORES), min_size=1, max_size=40)


def split(cases: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([a for a, _ in cases]), np.array([b for _, b in cases])


@given(CASES)
def test_roc_is_scikit_learns(cases: list[tuple[bool, float]]) -> None:
    is_right, scores = split(cases)
    found = roc(is_right, scores)
    if is_right.all() or not is_right.any():
        assert found is None
        return
    assert found is not None
    x, y, _ = metrics.roc_curve(is_right, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.x, x)
    np.testing.assert_allclose(found.y, y)
    assert found.area == pytest.approx(metrics.roc_auc_score(is_right, scores))
    assert found.chance == 0.5


@given(CASES)
def test_precision_and_recall_are_scikit_learns(cases: list[tuple[bool, float]]) -> None:
    is_right, scores = split(cases)
    found = precision_recall(is_right, scores)
    if not is_right.any():
        assert found is None
        return
    assert found is not None
    precision, recall, _ = metrics.precision_recall_curve(is_right, scores)
    # Its curve begins at full recall and ends in a point that it makes up; average precision is
    # the same with and without thresholds beyond full recall.
    np.testing.assert_allclose(found.x, recall[-2::-1])
    np.testing.assert_allclose(found.y, precision[-2::-1])
    assert found.area == pytest.approx(metrics.average_precision_score(is_right, scores))
    assert found.chance == pytest.approx(is_right.mean())


def test_nothing_to_order_gives_no_curve() -> None:
    none, empty = np.zeros(0, dtype=np.bool_), np.zeros(0)
    assert roc(none, empty) is None
    assert precision_recall(none, empty) is None
    assert len(steps(none, empty).thresholds) == 0


def test_a_long_curve_is_thinned_and_keeps_its_ends_and_its_area() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(5000)
    is_right = rng.random(5000) < scores
    found = roc(is_right, scores)
    assert found is not None
    assert len(found.x) == len(found.y) == MOST_POINTS
    assert (found.x[0], found.y[0], found.x[-1], found.y[-1]) == (0, 0, 1, 1)
    assert found.area == pytest.approx(metrics.roc_auc_score(is_right, scores))
