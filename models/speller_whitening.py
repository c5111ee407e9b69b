"""What turns background EEG into white noise, so that a matched filter is the best detector.

Background EEG is described as a vector autoregression of its first difference: each step is a
linear mixture of the last few steps of all channels, plus an innovation that is white in time and
has one covariance across channels. Taking the prediction away and dividing by the covariance's
square root whitens in space and time at once. The filter is short, causal and lies inside the
window: neither a constant offset nor whatever came before the window reaches the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COVARIANCE_FLOOR = 1e-6
"""Smallest innovation variance, in units of the median channel's: for dead or bridged channels."""

ARTEFACT_POWER = 10.0
"""A training trial of more than so many times the median trial's power is scaled down to that."""


@dataclass(frozen=True, slots=True)
class Whitening:
    """A causal filter from steps to whitened steps.

    ``kernel`` is ``(n_outputs, n_inputs, n_taps)``, newest tap last, applied to the first
    difference of ``stride``-sample means. Outputs beyond ``± limit`` are clipped: one artefact
    cannot outvote a window.
    """

    kernel: Floats
    stride: int
    limit: float

    @property
    def n_lost(self) -> int:
        """Steps at the window's start without output: one for the difference, one for each lag."""
        return int(self.kernel.shape[2])

    def apply(self, windows: Floats) -> Floats:
        """Return whitened steps, ``(n_trials, n_steps - n_lost, n_outputs)``.

        Args:
            windows: ``(n_trials, n_samples, n_inputs)`` µV.
        """
        steps = difference(windows, stride=self.stride)
        n_taps = self.kernel.shape[2]
        n_out = steps.shape[1] - n_taps + 1
        taps = (steps[:, k : k + n_out] @ self.kernel[:, :, k].T for k in range(n_taps))
        return np.clip(sum(taps, start=np.zeros(1)), -self.limit, self.limit)


def difference(windows: Floats, *, stride: int) -> Floats:
    """Return first differences of means over ``stride`` samples.

    Of ``(n_trials, n_samples, n_inputs)`` it makes ``(n_trials, n_steps - 1, n_inputs)``. Samples
    left over at the end are not used.
    """
    n_trials, n_samples, n_inputs = windows.shape
    n_steps = n_samples // stride
    means = windows[:, : n_steps * stride].reshape(n_trials, n_steps, stride, n_inputs).mean(axis=2)
    return np.diff(means, axis=1)


def fit_whitening(
    residual: Floats, *, n_lags: int, ridge: float, stride: int, limit: float
) -> Whitening:
    """Fit a vector autoregression to what remains of each trial once its response is taken away.

    Args:
        residual: first differences ``(n_trials, n_steps, n_inputs)``, as from :func:`difference`.
        n_lags: steps of past that predict a step.
        ridge: white noise added to the past, in units of the median channel's power.
        stride: kept for :meth:`Whitening.apply`.
        limit: kept for :meth:`Whitening.apply`.
    """
    scaled = residual * _trial_weights(residual)
    scale = float(np.sqrt(np.median(np.mean(np.square(scaled), axis=(0, 1))))) or 1.0
    scaled /= scale
    n_steps, n_inputs = scaled.shape[1:]
    lagged = [
        scaled[:, n_lags - k : n_steps - k] for k in range(n_lags + 1)
    ]  # now, 1 back, 2 back…
    now = lagged[0].reshape(-1, n_inputs)
    past = np.concatenate(lagged[1:], axis=2).reshape(len(now), -1)
    correlation = past.T @ past / len(now)
    correlation += ridge * np.eye(len(correlation))
    mixing = np.linalg.solve(
        correlation, past.T @ now / len(now)
    ).T  # (n_inputs, n_lags * n_inputs)
    innovation = now - past @ mixing.T
    covariance = innovation.T @ innovation / len(now)
    power, axes = np.linalg.eigh(covariance)
    root = (axes / np.sqrt(np.maximum(power, COVARIANCE_FLOOR))) @ axes.T
    kernel = np.empty((n_inputs, n_inputs, n_lags + 1))
    kernel[:, :, n_lags] = root
    for lag in range(1, n_lags + 1):
        kernel[:, :, n_lags - lag] = -root @ mixing[:, (lag - 1) * n_inputs : lag * n_inputs]
    return Whitening(kernel / scale, stride=stride, limit=limit)


def _trial_weights(residual: Floats) -> Floats:
    """Return ``(n_trials, 1, 1)`` that scale gross artefacts down to a power still believed."""
    power = np.mean(np.square(residual), axis=(1, 2), keepdims=True)
    most = ARTEFACT_POWER * float(np.median(power))
    return np.sqrt(most / np.maximum(power, most)) if most > 0 else np.ones_like(power)
