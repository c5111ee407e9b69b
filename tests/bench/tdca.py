"""Plain filter-bank task-discriminant component analysis, the peer (Liu et al. 2021).

Causal filters, as everything here; delayed copies and projections on sines, one discriminant
analysis a band, correlations summed with the usual weights ``k ** -1.25 + 0.25``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, signal

N_HARMONICS = 5
N_COMPONENTS = 8

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Peer:
    """A filter bank and a number of delays."""

    bands_hz: tuple[tuple[float, float], ...] = ((6.0, 90.0), (14.0, 90.0), (22.0, 90.0))
    order: int = 2
    n_delays: int = 6
    notch_hz: float | None = None

    def filter_bank(self, samples: Floats, *, rate_hz: float) -> list[Floats]:
        """Return each band of continuous ``(n_samples, n_channels)``, from its steady state."""
        bands = []
        for edges_hz in self.bands_hz:
            sos = signal.butter(self.order, edges_hz, "bandpass", fs=rate_hz, output="sos")
            if self.notch_hz is not None:
                notch = signal.tf2sos(*signal.iirnotch(self.notch_hz, 30.0, fs=rate_hz))
                sos = np.concatenate([sos, notch])
            state = signal.sosfilt_zi(sos)[:, :, np.newaxis] * samples[0]
            bands.append(signal.sosfilt(sos, samples, axis=0, zi=state)[0])
        return bands


def read(
    peer: Peer,
    train: list[Floats],
    labels: Labels,
    test: list[Floats],
    *,
    frequencies_hz: Floats,
    phases_rad: Floats,
    rate_hz: float,
) -> Floats:
    """Return scores ``(n_test, n_symbols)``.

    Args:
        peer: settings.
        train: a band each, ``(n_trials, n_samples + n_delays, n_channels)``.
        labels: of the training trials.
        test: a band each, ``(n_test, n_samples, n_channels)``; delays beyond the end are zero.
        frequencies_hz: of each symbol.
        phases_rad: of each symbol.
        rate_hz: of the samples.
    """
    n_samples = test[0].shape[1]
    time_s = np.arange(n_samples) / rate_hz
    harmonics = np.arange(1, N_HARMONICS + 1)[:, np.newaxis, np.newaxis]
    angle = harmonics * (2 * np.pi * np.outer(frequencies_hz, time_s) + phases_rad[:, np.newaxis])
    sines = np.concatenate([np.sin(angle), np.cos(angle)]).transpose(1, 2, 0)
    bases = [np.linalg.qr(s)[0] for s in sines]  # (n_samples, 2 * n_harmonics) each
    scores = np.zeros((len(test[0]), len(bases)))
    for k, (seen, unseen) in enumerate(zip(train, test, strict=True), start=1):
        weights, templates = _fit(seen, labels, bases, peer.n_delays, n_samples)
        components = _delayed(unseen, peer.n_delays, n_samples) @ weights
        for symbol, basis in enumerate(bases):
            both = np.concatenate([components, basis @ (basis.T @ components)], axis=1)
            scores[:, symbol] += (k**-1.25 + 0.25) * _correlation(both, templates[symbol])
    return scores


def _delayed(trials: Floats, n_delays: int, n_samples: int) -> Floats:
    """Return ``(n_trials, n_samples, n_channels * (n_delays + 1))`` without each trial's mean."""
    wide = np.pad(trials, ((0, 0), (0, n_samples + n_delays - trials.shape[1]), (0, 0)))
    copies = [wide[:, d : d + n_samples] for d in range(n_delays + 1)]
    stacked = np.concatenate(copies, axis=2)
    return stacked - stacked.mean(axis=1, keepdims=True)


def _fit(
    trials: Floats, labels: Labels, bases: list[Floats], n_delays: int, n_samples: int
) -> tuple[Floats, Floats]:
    delayed = _delayed(trials, n_delays, n_samples)
    both = np.stack(
        [
            np.concatenate([x, bases[k] @ (bases[k].T @ x)])
            for x, k in zip(delayed, labels, strict=True)
        ]
    )
    means = np.stack([both[labels == k].mean(axis=0) for k in range(len(bases))])
    between = (means - means.mean(axis=0)).reshape(-1, means.shape[2])
    within = (both - means[labels]).reshape(-1, means.shape[2])
    scatter = within.T @ within / len(labels)
    scatter += 1e-6 * np.trace(scatter) / len(scatter) * np.eye(len(scatter))
    _, vectors = linalg.eigh(between.T @ between / len(means), scatter)
    weights = vectors[:, ::-1][:, :N_COMPONENTS]
    return weights, means @ weights


def _correlation(trials: Floats, template: Floats) -> Floats:
    flat = trials.reshape(len(trials), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    wanted = template.ravel() - template.mean()
    return flat @ wanted / (np.linalg.norm(flat, axis=1) * np.linalg.norm(wanted))
