"""Noise in which nobody is heard: what a reader of EEG must stay silent at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runtime.simulation.synthesis import mixing

if TYPE_CHECKING:
    from pipeline.values import Samples

LEVELS_UV = (3.0, 60.0)
EXPONENTS = (-1.0, 2.0)
"""White noise lies well inside, so that networks are sure of it."""
FLAT_BELOW_HZ = 0.5


def white_noise(n_channels: int, n_samples: int, *, level_uv: float, seed: int = 0) -> Samples:
    """Return independent Gaussian noise (n_samples, n_channels) of ``level_uv``."""
    rng = np.random.default_rng(seed)
    return (level_uv * rng.standard_normal((n_samples, n_channels))).astype(np.float32)


def coloured_noise(
    rng: np.random.Generator, n_channels: int, n_samples: int, *, exponent: float, rate_hz: float
) -> Samples:
    """Return independent noise (n_samples, n_channels) of variance one, its power ``1/f^exponent``.

    Below half a hertz it is flat.
    """
    frequencies_hz = np.fft.rfftfreq(n_samples, 1.0 / rate_hz)
    amplitudes = np.maximum(frequencies_hz, FLAT_BELOW_HZ) ** (-exponent / 2.0)
    spectrum = np.fft.rfft(rng.standard_normal((n_samples, n_channels)), axis=0)
    noise = np.fft.irfft(spectrum * amplitudes[:, None], n=n_samples, axis=0)
    return np.asarray(noise / noise.std(), dtype=np.float32)


def any_noise(
    rng: np.random.Generator, n_samples: int, *, rate_hz: float, n_channels: int | None = None
) -> Samples:
    """Return noise of any colour and level, in half of the cases with channels that are alike.

    ``(n_samples, n_channels)`` µV; on the simulated person's channels, mixed as the scalp mixes,
    without ``n_channels``.
    """
    if n_channels is None:
        mix = mixing(rng)
    else:
        mix = rng.standard_normal((n_channels, n_channels)) / np.sqrt(n_channels)
    exponent, is_mixed = rng.uniform(*EXPONENTS), rng.random() < 0.5
    level_uv = np.exp(rng.uniform(*np.log(LEVELS_UV)))
    noise = coloured_noise(rng, len(mix), n_samples, exponent=exponent, rate_hz=rate_hz)
    mixed = noise @ mix.T.astype(np.float32) if is_mixed else noise
    return np.ascontiguousarray(np.float32(level_uv) * mixed)
