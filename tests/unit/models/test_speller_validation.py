from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.speller import fit_speller, log_softmax
from models.speller_validation import (
    chance_band,
    fit_confidence,
    fit_temperature,
    held_out_scores,
    is_right,
    make_folds,
    shuffled_accuracy,
    wilson_interval,
)
from tests.unit.models.ssvep_data import FREQUENCIES_HZ, RATE_HZ, simulate


def fit(windows, labels):
    return fit_speller(
        windows, labels,
        rate_hz=RATE_HZ, frequencies_hz=FREQUENCIES_HZ, checkpoints_samples=(100, 200),
    )  # fmt: skip


def test_folds_are_the_runs_where_that_leaves_every_symbol() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1])
    runs = np.array([4, 4, 7, 7, 9, 9])
    np.testing.assert_array_equal(make_folds(labels, runs, seed=0), [0, 0, 1, 1, 2, 2])


@given(st.integers(0, 2**16), st.integers(2, 9), st.integers(1, 5))
def test_folds_leave_every_symbol_in_training(seed: int, n_repeats: int, n_symbols: int) -> None:
    labels = np.repeat(np.arange(n_symbols), n_repeats)
    runs = np.zeros(len(labels), dtype=np.intp)
    runs[labels == 0] = 1  # leaving this run out would leave symbol 0 without a trial
    folds = make_folds(labels, runs, seed=seed)
    for fold in np.unique(folds):
        assert set(labels[folds != fold]) == set(labels)


def test_one_trial_of_a_symbol_cannot_be_held_out() -> None:
    with pytest.raises(ValueError, match="1 trial of symbol 1"):
        make_folds(np.array([0, 0, 1]), np.zeros(3, dtype=np.intp), seed=0)


def test_held_out_trials_are_read_and_shuffled_labels_are_not() -> None:
    windows, labels = simulate(n_repeats=8, seed=1)
    folds = make_folds(labels, np.zeros(len(labels), dtype=np.intp), seed=0)
    scores = held_out_scores(windows, labels, folds, fit=fit)
    assert is_right(scores, labels).mean(axis=0)[-1] > 0.9
    rng = np.random.default_rng(0)
    shuffled = [shuffled_accuracy(windows, labels, folds, fit=fit, rng=rng) for _ in range(5)]
    assert np.mean(shuffled) < 0.35


def test_temperature_makes_scores_honest() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4000, 1, 5)) * 2
    probability = np.exp(log_softmax(logits))[:, 0]
    labels = np.array([rng.choice(5, p=p) for p in probability])
    over_sure = np.concatenate([logits * 3, logits], axis=1)
    np.testing.assert_allclose(fit_temperature(over_sure, labels), [3.0, 1.0], rtol=0.1)


@given(st.integers(0, 1000), st.integers(1, 400))
def test_confidence_is_monotone_and_inside_the_unit_interval(seed: int, n_trials: int) -> None:
    rng = np.random.default_rng(seed)
    posterior = rng.uniform(0.1, 1.0, n_trials)
    raw, probability = fit_confidence(posterior, rng.uniform(size=n_trials) < posterior)
    assert list(raw) == sorted(raw)
    assert list(probability) == sorted(probability)
    assert 0 <= probability[0] <= probability[-1] <= 1


def test_confidence_finds_the_truth_behind_a_boast() -> None:
    rng = np.random.default_rng(3)
    posterior = rng.uniform(0.2, 1.0, 5000)
    raw, probability = fit_confidence(posterior, rng.uniform(size=5000) < posterior**2)
    np.testing.assert_allclose(np.interp([0.4, 0.9], raw, probability), [0.16, 0.81], atol=0.06)


def test_wilson_interval_equals_published_figures() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263, score method.
    np.testing.assert_allclose(wilson_interval(81, 263), (0.2553, 0.3662), atol=1e-4)


def test_chance_band_holds_95_percent() -> None:
    low, high = chance_band(32, 192)
    assert low < 1 / 32 < high
    draws = np.random.default_rng(0).binomial(192, 1 / 32, 20_000) / 192
    assert ((draws >= low) & (draws <= high)).mean() >= 0.95
