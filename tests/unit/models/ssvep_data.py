"""Simulated flicker responses: a spatial pattern a harmonic, over background far from white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 250.0
FREQUENCIES_HZ = (8.0, 8.0, 10.0, 10.0, 12.5, 12.5)
"""Six symbols; each pair differs in phase alone."""


def simulate(
    *,
    n_repeats: int,
    seed: int,
    amplitude: float = 1.0,
    n_channels: int = 5,
    n_samples: int = 200,
    rate_hz: float = RATE_HZ,
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return windows ``(n_trials, n_samples, n_channels)`` µV of one simulated person, labels."""
    person = np.random.default_rng(7)
    patterns = person.normal(size=(2, n_channels))
    mixing = person.normal(size=(n_channels, n_channels))
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(FREQUENCIES_HZ)), n_repeats))
    time_s = np.arange(n_samples) / rate_hz
    windows = np.empty((len(labels), n_samples, n_channels))
    for window, label in zip(windows, labels, strict=True):
        angle = 2 * np.pi * FREQUENCIES_HZ[label] * time_s + np.pi * (label % 2)
        waves = np.stack([np.sin(angle), 0.5 * np.sin(2 * angle)], axis=1)  # (n_samples, 2)
        white = rng.normal(size=(n_samples + 50, n_channels)) @ mixing
        background = 0.5 * np.cumsum(white, axis=0)[50:]  # 1/f², and an offset
        window[:] = amplitude * waves @ patterns + background + 0.3 * white[50:]
    return windows.astype(np.float32), labels
