"""What a classifier is worth on windows it never saw: symbols read right, stimuli told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.manifest import ConfidenceFit
from models.speller_validation import chance_band, fit_confidence, make_folds, wilson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.spec import PipelineSpec
    from tools.training.data.trial_windows import TrialWindows

MAX_FOLDS = 5


def folds_of(windows: TrialWindows, *, seed: int) -> NDArray[np.intp]:
    """Return the fold of each window: whole recordings where possible, else whole trials.

    Raises:
        ValueError: a symbol has one trial only, or there is one trial in all.
    """
    if not windows.groups:
        return make_folds(windows.labels, windows.runs, seed=seed)
    by = windows.runs if len(np.unique(windows.runs)) > 1 else windows.trials
    names, folds = np.unique(by, return_inverse=True)
    if len(names) < 2:
        raise ValueError("trials: got 1 labelled, wanted 2 or more to hold one out")
    return np.asarray(folds % MAX_FOLDS, dtype=np.intp)


def area_under_curve(scores: NDArray[np.float64], attended: NDArray[np.bool_]) -> float:
    """Return the chance that an attended stimulus scores above another (ties count half)."""
    from scipy.stats import rankdata

    n_attended, n_others = int(attended.sum()), int((~attended).sum())
    if not n_attended or not n_others:
        return float("nan")
    ranks = rankdata(scores)
    above = ranks[attended].sum() - n_attended * (n_attended + 1) / 2
    return float(above / (n_attended * n_others))


def letters_right(
    scores: NDArray[np.float64], windows: TrialWindows, spec: PipelineSpec
) -> NDArray[np.bool_]:
    """Say of each trial whether its flashes' summed scores (n,) single out the symbol meant."""
    members = {
        name: np.isin(np.array(spec.vocabulary), list(group)) for name, group in spec.groups.items()
    }
    right = []
    for trial in np.unique(windows.trials):
        evidence = np.zeros(len(spec.vocabulary))
        meant = np.ones(len(spec.vocabulary), dtype=np.bool_)
        for k in np.flatnonzero(windows.trials == trial):
            flashed = members[windows.groups[k]]
            evidence += scores[k] * flashed
            meant &= flashed == bool(windows.labels[k])
        right.append(bool(meant[evidence.argmax()]))
    return np.array(right)


def figures_of(
    scores: NDArray[np.float64],
    windows: TrialWindows,
    folds: NDArray[np.intp],
    spec: PipelineSpec,
) -> dict[str, Any]:
    """Return the figures of held-out scores (n, V) as JSON values, for the manifest and to read."""
    n_symbols = len(spec.vocabulary)
    figures: dict[str, Any] = {"n_windows": len(windows), "n_skipped": windows.n_skipped}
    if windows.groups:
        attended = windows.labels > 0
        right = letters_right(scores[:, 0], windows, spec)
        areas = [
            area_under_curve(scores[folds == f, 0], attended[folds == f]) for f in np.unique(folds)
        ]
        figures["area_under_curve"] = float(np.mean(areas))
        figures["folds"] = areas
    else:
        right = scores.argmax(axis=1) == windows.labels
        figures["folds"] = [float(right[folds == f].mean()) for f in np.unique(folds)]
    return figures | {
        "n_trials": len(right),
        "n_symbols": n_symbols,
        "accuracy": float(right.mean()),
        "interval_95": list(wilson_interval(int(right.sum()), len(right))),
        "chance": 1 / n_symbols,
        "chance_band_95": list(chance_band(n_symbols, len(right))),
    }


def report_lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures for a person to read."""
    low, high = figures["interval_95"]
    band = figures["chance_band_95"]
    lines = [
        f"held out, {figures['n_trials']} trials of {figures['n_symbols']} symbols",
        f"  right     {figures['accuracy']:.1%} [{low:.1%}, {high:.1%}]",
        f"  chance    {figures['chance']:.1%} [{band[0]:.1%}, {band[1]:.1%}]",
    ]
    if "area_under_curve" in figures:
        folds = ", ".join(f"{area:.3f}" for area in figures["folds"])
        lines.insert(1, f"  stimuli told apart: area {figures['area_under_curve']:.3f} ({folds})")
    return lines


def confidence_of(
    scores: NDArray[np.float64], windows: TrialWindows, spec: PipelineSpec
) -> ConfidenceFit | None:
    """Return the map from posterior to probability; None of stimuli: a trial has many of them."""
    if spec.groups:
        return None
    right = scores.argmax(axis=1) == windows.labels
    raw, probability = fit_confidence(np.exp(scores.max(axis=1)), right)
    return ConfidenceFit(raw=raw, probability=probability, n=len(right))
