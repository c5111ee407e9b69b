from __future__ import annotations

import numpy as np
import pytest

from runtime.paradigm import CHANNELS
from runtime.simulation.synthesis import SynthesisSettings
from tests.simulated_spec import simulated_spec
from tools.training.data.examples import SimulatedExamples
from tools.training.noise import LEVELS_UV, any_noise, coloured_noise, white_noise


def test_white_noise_is_as_loud_as_asked() -> None:
    noise = white_noise(4, 5000, level_uv=12.0)
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(12.0, rel=0.02)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.05


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_noise_has_the_colour_asked_for(exponent: float) -> None:
    rng = np.random.default_rng(0)
    noise = coloured_noise(rng, 8, 20_000, exponent=exponent, rate_hz=250.0)
    power = (np.abs(np.fft.rfft(noise, axis=0)) ** 2).mean(axis=1)
    frequencies_hz = np.fft.rfftfreq(20_000, 1 / 250.0)
    inside = (frequencies_hz > 1.0) & (frequencies_hz < 100.0)
    slope = np.polyfit(np.log(frequencies_hz[inside]), np.log(power[inside]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)
    assert noise.std() == pytest.approx(1.0, rel=1e-3)


def test_any_noise_is_on_the_persons_channels_and_as_loud_as_eeg() -> None:
    for seed in range(20):
        noise = any_noise(np.random.default_rng(seed), 3000, rate_hz=250.0)
        assert noise.shape == (3000, len(CHANNELS))
        assert noise.dtype == np.float32
        assert LEVELS_UV[0] / 3 < noise.std() < LEVELS_UV[1] * 3


def test_sessions_may_be_noise_in_which_nothing_is_typed() -> None:
    sessions = SimulatedExamples(
        simulated_spec(), ("hello there",), SynthesisSettings(), 20, 4, seed=4, rest_chance=0.0,
        noise_chance=1.0,
    )  # fmt: skip
    example = sessions.example(0, 0, progress=0.5)
    assert example.labels == ()
    assert example.on is not None
    assert not example.on.any()
    assert example.rest == (len(example.samples), len(example.samples))
