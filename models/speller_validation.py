"""How well a speller reads trials it never saw, and how much it may trust itself.

Folds leave out whole recordings where there are several, else trials, stratified by symbol. All
choices made from scores (temperatures, the confidence map) use held-out scores only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.speller import SpellerFit, log_softmax
from models.speller_responses import Labels

if TYPE_CHECKING:
    from models.speller_whitening import Floats

Fit = Callable[[NDArray[np.floating], Labels], SpellerFit]
"""Windows and labels to a fitted speller whose temperatures are 1."""

MAX_FOLDS = 5
MAX_KNOTS = 12
TEMPERATURES = np.geomspace(0.5, 50.0, 200)


def make_folds(labels: Labels, runs: NDArray[np.intp], *, seed: int) -> NDArray[np.intp]:
    """Return the fold of each trial: its run where leaving any run out leaves every symbol a trial.

    Else trials of each symbol are dealt out to up to five folds, in an order drawn from ``seed``.

    Raises:
        ValueError: a symbol has one trial only, so that nothing can be held out.
    """
    counts = np.bincount(labels)
    if counts[counts > 0].min() < 2:
        symbol = int(np.flatnonzero(counts == 1)[0])
        raise ValueError(
            f"labels: got 1 trial of symbol {symbol}, wanted 2 or more to hold one out"
        )
    every = np.unique(labels)
    names = np.unique(runs)
    if len(names) > 1 and all(np.isin(every, labels[runs != r]).all() for r in names):
        return np.searchsorted(names, runs)
    n_folds = min(MAX_FOLDS, int(counts[counts > 0].min()))
    rng = np.random.default_rng(seed)
    folds = np.empty(len(labels), dtype=np.intp)
    for symbol in every:
        trials = rng.permutation(np.flatnonzero(labels == symbol))
        folds[trials] = np.arange(len(trials)) % n_folds
    return folds


def held_out_scores(
    windows: NDArray[np.floating], labels: Labels, folds: NDArray[np.intp], *, fit: Fit
) -> Floats:
    """Return each trial's scores by a speller fitted to the other folds.

    Returns:
        ``(n_trials, n_checkpoints, n_symbols)``, as :meth:`SpellerFit.scores` gives them.
    """
    rows: list[tuple[NDArray[np.intp], Floats]] = []
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        rows.append((test, fit(windows[train], labels[train]).scores(windows[test])))
    scores = np.empty((len(labels), *rows[0][1].shape[1:]))
    for test, values in rows:
        scores[test] = values
    return scores


def shuffled_accuracy(
    windows: NDArray[np.floating],
    labels: Labels,
    folds: NDArray[np.intp],
    *,
    fit: Fit,
    rng: np.random.Generator,
) -> Floats:
    """Return accuracy per checkpoint when the labels of the training trials mean nothing.

    Labels are permuted within each fold's training trials; the held-out trials keep theirs.
    """
    n_right = []
    for fold in np.unique(folds):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        scores = fit(windows[train], rng.permutation(labels[train])).scores(windows[test])
        n_right.append(is_right(scores, labels[test]).sum(axis=0))
    return np.asarray(np.sum(n_right, axis=0) / len(labels))


def is_right(scores: Floats, labels: Labels) -> NDArray[np.bool_]:
    """Say which trials have their own symbol on top, ``(n_trials, n_checkpoints)``."""
    return np.asarray(scores.argmax(axis=2) == labels[:, np.newaxis])


def fit_temperature(scores: Floats, labels: Labels) -> Floats:
    """Return the divisor of each checkpoint's scores that makes the truth most likely.

    Temperature scaling (Guo et al. 2017).

    Args:
        scores: held-out, ``(n_trials, n_checkpoints, n_symbols)``.
        labels: the truth.
    """
    trials = np.arange(len(labels))
    losses = np.stack(
        [-log_softmax(scores / t)[trials, :, labels].mean(axis=0) for t in TEMPERATURES]
    )
    return np.asarray(TEMPERATURES[losses.argmin(axis=0)])


def fit_confidence(
    posterior: Floats, right: NDArray[np.bool_]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the knots of a monotone map from posterior to the probability of being right.

    Trials are cut into bins of equal count by posterior; the rates of the bins, each with one
    more trial that says what the posterior says, are made monotone by pooling adjacent violators.

    Args:
        posterior: of the best symbol of each held-out trial.
        right: whether it was.
    """
    order = np.argsort(posterior, kind="stable")
    n_bins = min(MAX_KNOTS, max(1, math.isqrt(len(order))))
    knots: list[list[float]] = []  # mean posterior, rate, weight
    for members in np.array_split(order, n_bins):
        mean = float(posterior[members].mean())
        rate = (float(right[members].sum()) + mean) / (len(members) + 1)
        knots.append([mean, rate, len(members)])
        while len(knots) > 1 and knots[-2][1] > knots[-1][1]:
            newer, older = knots.pop(), knots.pop()
            weight = older[2] + newer[2]
            merged = [
                (o * older[2] + n * newer[2]) / weight for o, n in zip(older, newer, strict=True)
            ]
            knots.append([merged[0], merged[1], weight])
    return tuple(k[0] for k in knots), tuple(k[1] for k in knots)


def wilson_interval(
    n_right: int, n_trials: int, *, z: float = 1.959963984540054
) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Wilson 1927)."""
    rate = n_right / n_trials
    centre = (rate + z**2 / (2 * n_trials)) / (1 + z**2 / n_trials)
    half = z * math.sqrt(rate * (1 - rate) / n_trials + (z / (2 * n_trials)) ** 2)
    half /= 1 + z**2 / n_trials
    return max(0.0, centre - half), min(1.0, centre + half)


def chance_band(n_symbols: int, n_trials: int) -> tuple[float, float]:
    """Return the central 95 % of accuracies that guessing gives (binomial)."""
    from scipy.stats import binom

    low, high = binom.ppf([0.025, 0.975], n_trials, 1 / n_symbols)
    return float(low) / n_trials, float(high) / n_trials
