"""A closed-form SSVEP speller: whiten the EEG, then compare it with each symbol's own response.

The theory in four lines. A trial is a symbol's response plus background EEG. The background is
whitened in space and time (:mod:`models.speller_whitening`); in white noise the best detector is
the correlation with the response, and its value is a log-likelihood. The response is a sum of
sines at the harmonics of the symbol's frequency, which the whitening leaves sines: two numbers per
harmonic and channel to estimate, and to rid of their noise (:mod:`models.speller_responses`).

This is the family of task-discriminant component analysis (Liu et al. 2021: delays, whitening by
the within-class covariance, projection on sines), with its parts made a generative model: delays
and covariance become an autoregression, sub-bands become harmonics that each get their own weight,
and the correlations become log-likelihoods that add up over time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.speller_responses import (
    Labels,
    fit_amplitudes,
    make_sines,
    mean_responses,
    shrink_responses,
)
from models.speller_whitening import Floats, Whitening, difference, fit_whitening

LEAST = -50.0
"""Least log-likelihood below the best symbol's: float32 would have no digits left for less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpellerSettings:
    """What is chosen beforehand, not fitted.

    On recordings of one person, left-out accuracy at 1 s stays within 2 points for a ridge of
    0.003 to 0.03, a memory of 0.02 to 0.033 s, a limit of 2 to 10 and 4 to 6 harmonics.

    ``step_rate_hz``: samples are averaged to about this rate. ``memory_s``: how long the
    background's autoregression remembers. ``ridge``: see ``fit_whitening``. ``limit``: in standard
    deviations of the background. Harmonics from the second on are left out above
    ``max_harmonic_hz`` and nearer than ``line_margin_hz`` to a multiple of a mains frequency.
    """

    n_harmonics: int = 5
    max_harmonic_hz: float = 90.0
    line_hz: tuple[float, ...] = (50.0, 60.0)
    line_margin_hz: float = 1.5
    step_rate_hz: float = 300.0
    memory_s: float = 0.027
    ridge: float = 0.01
    limit: float = 3.0


@dataclass(frozen=True, slots=True)
class SpellerFit:
    """Everything a score needs.

    ``common`` is the whitened response that all symbols share, ``(n_steps, n_outputs)``;
    ``templates`` the symbols' own, ``(n_symbols, n_steps, n_outputs)``. ``temperature`` is one
    divisor per checkpoint. The last checkpoint is the length of a window.
    """

    whitening: Whitening
    common: Floats
    templates: Floats
    checkpoints_samples: tuple[int, ...]
    temperature: Floats

    @property
    def checkpoints_steps(self) -> tuple[int, ...]:
        """Whitened steps that lie wholly inside each checkpoint."""
        whitening = self.whitening
        return tuple(n // whitening.stride - whitening.n_lost for n in self.checkpoints_samples)

    def scores(self, windows: NDArray[np.floating]) -> Floats:
        """Return natural-log posteriors under equal priors.

        Args:
            windows: ``(n_trials, n_samples, n_inputs)`` µV from onset + offset; samples after the
                last checkpoint are not used.

        Returns:
            ``(n_trials, n_checkpoints, n_symbols)``.
        """
        used = windows[:, : self.checkpoints_samples[-1]].astype(np.float64)
        white = self.whitening.apply(used) - self.common
        likelihood = np.cumsum(
            np.einsum("nto,kto->ntk", white, self.templates)
            - 0.5 * np.sum(np.square(self.templates), axis=2).T,
            axis=1,
        )
        rows = likelihood[:, np.array(self.checkpoints_steps) - 1]
        rows = rows / self.temperature[:, np.newaxis]
        return log_softmax(np.maximum(rows - rows.max(axis=-1, keepdims=True), LEAST))


def log_softmax(scores: Floats) -> Floats:
    """Return log-probabilities over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True)))


def fit_speller(
    windows: NDArray[np.floating],
    labels: Labels,
    *,
    rate_hz: float,
    frequencies_hz: Sequence[float],
    checkpoints_samples: tuple[int, ...],
    settings: SpellerSettings = SpellerSettings(),
) -> SpellerFit:
    """Fit one person's speller; temperatures are 1 until they are calibrated.

    Args:
        windows: ``(n_trials, n_samples, n_inputs)`` µV from onset + offset; what lies beyond the
            last checkpoint is learnt from all the same.
        labels: index of each trial's symbol in ``frequencies_hz``.
        rate_hz: of the samples.
        frequencies_hz: flicker of each symbol; phases are found from the data.
        checkpoints_samples: ascending lengths at which a score is given.
        settings: what is not fitted.

    Raises:
        ValueError: a symbol without a trial, or a checkpoint too short to whiten.
    """
    n_symbols = len(frequencies_hz)
    n_trials = np.bincount(labels, minlength=n_symbols)
    if len(n_trials) != n_symbols or not n_trials.all():
        raise ValueError(
            f"labels: got trials per symbol {n_trials.tolist()}, wanted 1 or more of each"
        )
    stride = max(1, round(rate_hz / settings.step_rate_hz))
    step_hz = rate_hz / stride
    n_lags = max(1, round(settings.memory_s * step_hz))
    if checkpoints_samples[0] // stride <= n_lags + 1:
        raise ValueError(
            f"checkpoints_samples: got {checkpoints_samples[0]},"
            f" wanted {(n_lags + 2) * stride} or more"
        )
    harmonics_hz = np.stack([harmonics_of(f, settings, step_hz=step_hz) for f in frequencies_hz])
    trials: Floats = windows.astype(np.float64)

    steps = difference(trials, stride=stride)
    whitening = fit_whitening(
        _without_response(steps, labels, harmonics_hz, step_hz=step_hz),
        n_lags=n_lags,
        ridge=settings.ridge,
        stride=stride,
        limit=settings.limit,
    )
    white = whitening.apply(trials)
    common = white.mean(axis=0)
    sines = make_sines(harmonics_hz, n_steps=white.shape[1], step_hz=step_hz)
    responses = shrink_responses(
        fit_amplitudes(white - common, labels, sines), labels, harmonics_hz
    )
    n_used = checkpoints_samples[-1] // stride - whitening.n_lost
    return SpellerFit(
        whitening=whitening,
        common=common[:n_used],
        templates=(sines @ responses)[:, :n_used],
        checkpoints_samples=checkpoints_samples,
        temperature=np.ones(len(checkpoints_samples)),
    )


def _without_response(
    steps: Floats, labels: Labels, harmonics_hz: Floats, *, step_hz: float
) -> Floats:
    """Return trials less what all have in common and less their symbol's mean response."""
    own = steps - steps.mean(axis=0)
    sines = make_sines(harmonics_hz, n_steps=steps.shape[1], step_hz=step_hz)
    amplitudes = fit_amplitudes(own, labels, sines)
    responses = mean_responses(amplitudes, labels, n_symbols=len(harmonics_hz))
    return np.asarray(own - (sines @ responses)[labels])


def harmonics_of(frequency_hz: float, settings: SpellerSettings, *, step_hz: float) -> Floats:
    """Return the harmonics' frequencies, ``(n_harmonics,)`` Hz; one that is left out is NaN."""
    harmonics_hz = frequency_hz * np.arange(1.0, settings.n_harmonics + 1)
    used = harmonics_hz < min(settings.max_harmonic_hz, step_hz / 2)
    for line_hz in settings.line_hz:
        away_hz = np.abs(harmonics_hz - line_hz * np.maximum(1, np.round(harmonics_hz / line_hz)))
        used &= away_hz >= settings.line_margin_hz
    used[0] = True
    return np.where(used, harmonics_hz, np.nan)
