"""Plain shrinkage discriminant analysis of flashes, the peer (Blankertz et al. 2011).

Windows averaged to steps of some 32 ms, all channels in one vector, one covariance for both
classes, shrunk towards its mean variance by as much as Ledoit and Wolf 2004 find best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEP_SAMPLES = 8


@dataclass(frozen=True)
class Lda:
    """``weights`` (n_features,): the larger their product with a vector, the more a target."""

    weights: Floats

    def scores(self, windows: NDArray[np.floating]) -> Floats:
        """Return one score a window."""
        return features(windows) @ self.weights


def features(windows: NDArray[np.floating]) -> Floats:
    """Return ``(n, n_steps * n_channels)`` of windows ``(n, n_samples, n_channels)``."""
    n, n_samples, n_channels = windows.shape
    steps = windows[:, : n_samples // STEP_SAMPLES * STEP_SAMPLES].astype(np.float64)
    steps = steps.reshape(n, -1, STEP_SAMPLES, n_channels).mean(axis=2)
    return steps.reshape(n, -1)


def fit_lda(windows: NDArray[np.floating], attended: NDArray[np.bool_]) -> Lda:
    """Return the discriminant of attended windows from the others."""
    vectors = features(windows)
    means = np.stack([vectors[~attended].mean(axis=0), vectors[attended].mean(axis=0)])
    covariance = shrunk_covariance(vectors - means[attended.astype(np.intp)])
    return Lda(np.linalg.solve(covariance, means[1] - means[0]))


def shrunk_covariance(vectors: Floats) -> Floats:
    """Return the covariance of centred ``vectors``, shrunk as each feature is scaled to 1."""
    scale = vectors.std(axis=0)
    x = vectors / scale
    n, n_features = x.shape
    sample = x.T @ x / n
    mean = np.trace(sample) / n_features
    apart = np.square(sample - mean * np.eye(n_features)).sum()
    noise = (np.square(x).T @ np.square(x) / n - np.square(sample)).sum() / n
    share = min(1.0, noise / apart)
    shrunk = (1 - share) * sample + share * mean * np.eye(n_features)
    return shrunk * np.outer(scale, scale)
