from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.speller_responses import (
    fit_amplitudes,
    make_sines,
    mean_responses,
    shrink_responses,
    spike_strength,
)


def test_amplitudes_of_pure_sines_are_found() -> None:
    harmonics_hz = np.array([[8.0, 16.0], [11.0, np.nan]])
    sines = make_sines(harmonics_hz, n_steps=230, step_hz=250.0)
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 4, 3))
    truth[1, 2:] = 0  # the harmonic that is left out
    labels = np.array([1, 0, 1])
    np.testing.assert_allclose(
        fit_amplitudes((sines @ truth)[labels], labels, sines), truth[labels], atol=1e-12
    )


@given(st.floats(0.02, 4.0), st.floats(0.01, 50.0))
def test_spike_strength_inverts_the_spiked_model(aspect: float, extra: float) -> None:
    signal = np.sqrt(min(aspect, 2.0)) + extra  # what clears the edge of the bulk
    aspect = min(aspect, 2.0)
    power = (1 + signal) * (1 + aspect / signal)
    np.testing.assert_allclose(
        spike_strength(np.array([power]), aspect=aspect), [signal], rtol=1e-3, atol=1e-3
    )


def test_pure_noise_leaves_no_response() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(32), 4)
    amplitudes = rng.normal(size=(len(labels), 4, 10))
    shrunk = shrink_responses(amplitudes, labels, np.full((32, 2), 10.0))
    noise = mean_responses(amplitudes, labels, n_symbols=32)
    assert np.square(shrunk).sum() < 0.02 * np.square(noise).sum()


def test_shrinking_comes_closer_to_the_truth() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(32), 4)
    truth = 0.7 * rng.normal(size=(32, 4, 1)) * rng.normal(size=10)  # one pattern across channels
    amplitudes = truth[labels] + rng.normal(size=(len(labels), 4, 10))
    shrunk = shrink_responses(amplitudes, labels, np.full((32, 2), 10.0))
    plain = mean_responses(amplitudes, labels, n_symbols=32)
    assert np.square(shrunk - truth).sum() < 0.4 * np.square(plain - truth).sum()


def test_few_symbols_keep_their_response() -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(2), 3)
    truth = rng.normal(size=(2, 2, 1)) * rng.normal(size=20)
    amplitudes = truth[labels] + rng.normal(size=(len(labels), 2, 20))
    shrunk = shrink_responses(amplitudes, labels, np.full((2, 1), 10.0))
    assert np.square(shrunk).sum() > 0.2 * np.square(truth).sum()
