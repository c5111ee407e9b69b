"""What each symbol evokes: a few sines per channel, estimated from trials and rid of their noise.

A response has two amplitudes per harmonic and channel. Over all symbols the amplitudes of one
harmonic are rows of a signal-plus-noise matrix, so random-matrix theory says what of it can be
believed: directions across channels whose second moment lies within the Marchenko-Pastur bulk of
the noise are set to zero, and what stands out is shrunk by its debiased signal-to-noise ratio
(spiked covariance model: Baik & Silverstein 2006; Donoho, Gavish & Johnstone 2018). The noise is
the scatter of trials within a symbol. Where labels mean nothing, nothing stands out, and the
speller is mute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.speller_whitening import Floats

Labels = NDArray[np.intp]

MOST_ASPECT = 2.0
"""Channels for each amplitude of a harmonic, beyond which the bulk's edge has no power."""


def make_sines(harmonics_hz: Floats, *, n_steps: int, step_hz: float) -> Floats:
    """Return cosines and sines of about unit length, ``(n_symbols, n_steps, 2 * n_harmonics)``.

    Harmonics that are left out (NaN) are zero.
    """
    angle = 2 * np.pi * harmonics_hz[:, np.newaxis, :] * np.arange(n_steps)[:, np.newaxis] / step_hz
    waves = np.stack(
        [np.cos(angle), np.sin(angle)], axis=-1
    )  # (n_symbols, n_steps, n_harmonics, 2)
    waves = np.nan_to_num(waves.reshape(*waves.shape[:2], -1))
    return np.asarray(waves * np.sqrt(2 / n_steps))


def fit_amplitudes(steps: Floats, labels: Labels, sines: Floats) -> Floats:
    """Return each trial's amplitudes at its symbol's harmonics, by least squares.

    Args:
        steps: ``(n_trials, n_steps, n_outputs)``.
        labels: each trial's symbol.
        sines: of every symbol, as from :func:`make_sines`.

    Returns:
        ``(n_trials, 2 * n_harmonics, n_outputs)``.
    """
    inverse = np.linalg.pinv(sines)  # (n_symbols, 2 * n_harmonics, n_steps)
    amplitudes = np.empty((len(steps), inverse.shape[1], steps.shape[2]))
    for symbol in range(len(sines)):
        amplitudes[labels == symbol] = inverse[symbol] @ steps[labels == symbol]
    return amplitudes


def mean_responses(amplitudes: Floats, labels: Labels, *, n_symbols: int) -> Floats:
    """Return the mean over each symbol's trials, ``(n_symbols, 2 * n_harmonics, n_outputs)``."""
    return np.stack([amplitudes[labels == k].mean(axis=0) for k in range(n_symbols)])


def shrink_responses(amplitudes: Floats, labels: Labels, harmonics_hz: Floats) -> Floats:
    """Return the responses with what may be noise taken out.

    Args:
        amplitudes: of whitened trials, ``(n_trials, 2 * n_harmonics, n_outputs)``; background alone
            gives each a variance of 1.
        labels: each trial's symbol.
        harmonics_hz: ``(n_symbols, n_harmonics)``, NaN where left out.

    Returns:
        ``(n_symbols, 2 * n_harmonics, n_outputs)``.
    """
    n_symbols, n_harmonics = harmonics_hz.shape
    n_outputs = amplitudes.shape[2]
    means = mean_responses(amplitudes, labels, n_symbols=n_symbols)
    scatter = (amplitudes - means[labels]).reshape(len(labels), n_harmonics, 2, n_outputs)
    by_harmonic = means.reshape(n_symbols, n_harmonics, 2, n_outputs)
    n_trials = np.bincount(labels, minlength=n_symbols)
    shrunk = np.zeros_like(by_harmonic)
    for h in range(n_harmonics):
        used = np.isfinite(harmonics_hz[:, h])
        if used.any():
            noise = _noise_covariance(scatter[used[labels], h], n_trials[used])
            shrunk[used, h] = _keep_signal(by_harmonic[used, h], n_trials[used], noise)
    return shrunk.reshape(means.shape)


def _noise_covariance(scatter: Floats, n_trials: NDArray[np.intp]) -> Floats:
    """Return the covariance of a single trial's amplitudes, nowhere below that of white background.

    Args:
        scatter: around their symbol's mean, ``(n_trials, 2, n_outputs)``.
        n_trials: of each symbol.
    """
    rows = scatter.reshape(-1, scatter.shape[-1])
    n_free = max(1, 2 * int((n_trials - 1).sum()))
    power, axes = np.linalg.eigh(rows.T @ rows / n_free)
    return np.asarray((axes * np.maximum(power, 1.0)) @ axes.T)


def _keep_signal(means: Floats, n_trials: NDArray[np.intp], noise: Floats) -> Floats:
    """Return ``(n_symbols, 2, n_outputs)`` amplitudes with their noise directions zeroed.

    ``noise`` is the covariance of one trial; a mean carries ``1 / n_trials`` of it.
    """
    power, axes = np.linalg.eigh(noise)
    whiten = (axes / np.sqrt(power)) @ axes.T
    colour = (axes * np.sqrt(power)) @ axes.T
    rows = means @ whiten  # (n_symbols, 2, n_outputs), noise variance 1 / n_trials
    flat = rows.reshape(-1, rows.shape[-1])
    share = float(np.mean(1 / n_trials))
    power, axes = np.linalg.eigh(flat.T @ flat / len(flat))
    signal = share * spike_strength(power / share, aspect=flat.shape[1] / len(flat))
    gain = signal / (signal + 1 / n_trials[:, np.newaxis])  # (n_symbols, n_outputs)
    return np.asarray(((rows @ axes) * gain[:, np.newaxis]) @ axes.T @ colour)


def spike_strength(power: Floats, *, aspect: float) -> Floats:
    """Return the signal variance behind eigenvalues of a sample covariance with unit noise.

    Zero up to the edge of the Marchenko-Pastur bulk, ``(1 + sqrt(aspect)) ** 2``; above it the
    inverse of ``power = (1 + signal) * (1 + aspect / signal)``. With few symbols and many channels
    nothing could clear that edge: then, what exceeds the noise's mean.

    Args:
        power: eigenvalues.
        aspect: columns over rows of the data.
    """
    if aspect > MOST_ASPECT:
        return np.maximum(power - 1, 0)
    middle = power + 1 - aspect
    root = np.sqrt(np.maximum(middle**2 - 4 * power, 0))
    return np.where(power > (1 + np.sqrt(aspect)) ** 2, (middle + root) / 2 - 1, 0.0)
