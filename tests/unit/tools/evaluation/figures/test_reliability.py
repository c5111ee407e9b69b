from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tools.evaluation.figures.reliability import reliability


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(100, 300))
def test_it_equals_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(n) / n  # distinct: of ties scikit-learn makes other bins
    is_right = rng.random(n) < scores
    is_right[:2] = True, False
    told = reliability(is_right, scores)
    assert told.brier == pytest.approx(brier_score_loss(is_right, scores))
    if n % 10 == 0:
        right, said = calibration_curve(is_right, scores, n_bins=10, strategy="quantile")
        assert [one.right for one in told.bins] == pytest.approx(right.tolist(), abs=0.11)
        assert [one.said for one in told.bins] == pytest.approx(said.tolist(), abs=0.02)


def test_bins_hold_all_and_equally_many() -> None:
    scores = np.linspace(0, 1, 95)
    told = reliability(scores > 0.5, scores)
    counts = [one.n for one in told.bins]
    assert sum(counts) == 95
    assert max(counts) - min(counts) <= 1
    for one in told.bins:
        assert one.interval[0] - 1e-9 <= one.right <= one.interval[1] + 1e-9


def test_a_single_decision_is_a_bin() -> None:
    told = reliability(np.array([True]), np.array([0.75]))
    assert len(told.bins) == 1
    assert told.expected_error == pytest.approx(0.25)
    assert told.brier == pytest.approx(0.0625)


def test_always_sure_and_never_right_is_as_far_off_as_can_be() -> None:
    told = reliability(np.zeros(40, dtype=bool), np.ones(40))
    assert told.expected_error == 1.0
    assert told.brier == 1.0
