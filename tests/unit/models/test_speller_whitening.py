from __future__ import annotations

import numpy as np

from models.speller_whitening import difference, fit_whitening
from tests.unit.models.ssvep_data import simulate


def test_background_becomes_white_in_time_and_space() -> None:
    train, _ = simulate(n_repeats=30, seed=1, amplitude=0.0)
    unseen, _ = simulate(n_repeats=30, seed=2, amplitude=0.0)
    steps = difference(train.astype(np.float64), stride=1)
    whitening = fit_whitening(steps, n_lags=6, ridge=1e-3, stride=1, limit=100.0)
    white = whitening.apply(unseen.astype(np.float64))
    n_channels = white.shape[2]
    now, before = white[:, 1:].reshape(-1, n_channels), white[:, :-1].reshape(-1, n_channels)
    np.testing.assert_allclose(now.T @ now / len(now), np.eye(n_channels), atol=0.1)
    np.testing.assert_allclose(now.T @ before / len(now), 0.0, atol=0.1)


def test_difference_averages_blocks_first() -> None:
    ramp = np.arange(10.0)[np.newaxis, :, np.newaxis]
    np.testing.assert_array_equal(difference(ramp, stride=3)[0, :, 0], [3.0, 3.0])


def test_a_gross_artefact_in_training_moves_the_fit_little() -> None:
    clean, _ = simulate(n_repeats=10, seed=1, amplitude=0.0)
    steps = difference(clean.astype(np.float64), stride=1)
    spoilt = steps.copy()
    spoilt[0] *= 1000
    kernels = [
        fit_whitening(x, n_lags=4, ridge=1e-2, stride=1, limit=3.0).kernel for x in (steps, spoilt)
    ]
    assert np.abs(kernels[1] - kernels[0]).max() < 0.15 * np.abs(kernels[0]).max()


def test_outputs_are_limited() -> None:
    windows, _ = simulate(n_repeats=5, seed=1)
    steps = difference(windows.astype(np.float64), stride=1)
    whitening = fit_whitening(steps, n_lags=4, ridge=1e-2, stride=1, limit=2.0)
    assert np.abs(whitening.apply(100.0 * windows.astype(np.float64))).max() == 2.0
