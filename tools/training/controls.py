"""A recording that keeps its spectra and says nothing: what a reader of EEG must not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipeline.values import Samples


def phase_randomised(samples: Samples, *, seed: int) -> Samples:
    """Return a surrogate of ``samples`` (n_samples, n_channels): its spectra, and nothing of when.

    Each frequency is turned by one random angle in all channels, so power, and coherence between
    channels, stay as they are (Prichard and Theiler 1994).
    """
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(samples.astype(np.float64), axis=0)  # (n_frequencies, n_channels)
    angles = rng.uniform(0.0, 2.0 * np.pi, len(spectrum))
    angles[0] = 0.0
    if len(samples) % 2 == 0:
        angles[-1] = 0.0
    turned = spectrum * np.exp(1j * angles)[:, None]
    return np.fft.irfft(turned, n=len(samples), axis=0).astype(np.float32)
