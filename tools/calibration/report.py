"""What a calibration measured, as figures and as words.

Accuracies are of held-out trials, with Wilson's 95 % interval. The information transfer rate is
Wolpaw's bits over the time from stimulus to decision; looking from key to key is not counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.speller_validation import chance_band, is_right, wilson_interval
from pipeline.selection import wolpaw_bits

if TYPE_CHECKING:
    from tools.calibration.calibrate import Calibration

Finding = Literal["above chance", "not above chance", "above chance with shuffled labels"]

EARLY_THRESHOLDS = (0.8, 0.9, 0.95, 0.99)


def finding_of(calibration: Calibration) -> Finding:
    """Return what chance level and shuffled labels allow to be said.

    It is no verdict: whether the bundle reads EEG is for an evaluation with noise inputs to say.
    ``above chance``: the interval lies above chance, and no shuffle reads as well.
    ``above chance with shuffled labels``: on average, and so something is wrong.
    """
    n_symbols = len(calibration.spec.vocabulary)
    right = is_right(calibration.scores, calibration.data.labels)[:, -1]
    shuffled = calibration.shuffled[:, -1]
    if shuffled.size and shuffled.mean() > chance_band(n_symbols, len(right))[1]:
        return "above chance with shuffled labels"
    low, _ = wilson_interval(int(right.sum()), len(right))
    above = low > 1 / n_symbols and shuffled.size > 0 and bool((shuffled < right.mean()).all())
    return "above chance" if above else "not above chance"


def figures_of(calibration: Calibration) -> dict[str, Any]:
    """Return the whole report as JSON values; it is what the manifest keeps."""
    labels, scores = calibration.data.labels, calibration.scores
    n_trials, _, n_symbols = scores.shape
    right = is_right(scores, labels)
    shuffled = calibration.shuffled[:, -1]
    n_as_good = int((shuffled >= right[:, -1].mean()).sum())
    n_right = int(right[:, -1].sum())
    length_s = calibration.window.length_samples / calibration.spec.rate_hz
    return {
        "validation": (
            "leave one recording out" if calibration.leaves_runs_out else "k-fold by trial"
        ),
        "n_trials": n_trials,
        "n_skipped": calibration.data.n_skipped,
        "n_symbols": n_symbols,
        "length_s": length_s,
        "accuracy": n_right / n_trials,
        "interval_95": list(wilson_interval(n_right, n_trials)),
        "chance": 1 / n_symbols,
        "chance_band_95": list(chance_band(n_symbols, n_trials)),
        "shuffled": {
            "n": len(shuffled),
            "accuracy": float(shuffled.mean()) if shuffled.size else None,
            "highest": float(shuffled.max()) if shuffled.size else None,
            "p": (1 + n_as_good) / (1 + len(shuffled)),
        },
        "itr_bits_per_min": _itr(calibration, n_right / n_trials, length_s),
        "folds": _folds(calibration),
        "lengths": _lengths(calibration),
        "early": _early(calibration),
        "finding": finding_of(calibration),
    }


def _itr(calibration: Calibration, accuracy: float, length_s: float) -> float:
    offset_s = calibration.window.offset_samples / calibration.spec.rate_hz
    bits = wolpaw_bits(len(calibration.spec.vocabulary), accuracy)
    return 60.0 * bits / (offset_s + length_s)


def _folds(calibration: Calibration) -> list[dict[str, Any]]:
    right = is_right(calibration.scores, calibration.data.labels)[:, -1]
    folds: list[dict[str, Any]] = []
    for fold in np.unique(calibration.folds):
        tested = right[calibration.folds == fold]
        name = calibration.run_names[fold] if calibration.leaves_runs_out else f"fold {fold + 1}"
        folds.append({"held_out": name, "accuracy": float(tested.mean()), "n_trials": len(tested)})
    return folds


def _lengths(calibration: Calibration) -> list[dict[str, Any]]:
    right = is_right(calibration.scores, calibration.data.labels)
    rows: list[dict[str, Any]] = []
    for k, n_samples in enumerate(calibration.window.checkpoints_samples):
        length_s = n_samples / calibration.spec.rate_hz
        n_right = int(right[:, k].sum())
        accuracy = n_right / len(right)
        rows.append(
            {
                "length_s": length_s,
                "accuracy": accuracy,
                "interval_95": list(wilson_interval(n_right, len(right))),
                "itr_bits_per_min": _itr(calibration, accuracy, length_s),
                "temperature": float(calibration.fit.temperature[k]),
            }
        )
    return rows


def _early(calibration: Calibration) -> list[dict[str, Any]]:
    """Say what each threshold of early commitment would give on the held-out trials."""
    labels, scores = calibration.data.labels, calibration.scores
    posterior = np.exp(scores.max(axis=2))  # (n_trials, n_checkpoints)
    right = is_right(scores, labels)
    lengths_s = np.array(calibration.window.checkpoints_samples) / calibration.spec.rate_hz
    rows: list[dict[str, Any]] = []
    for threshold in EARLY_THRESHOLDS:
        sure = posterior >= threshold
        sure[:, -1] = True
        first = sure.argmax(axis=1)
        accuracy = float(right[np.arange(len(right)), first].mean())
        mean_s = float(lengths_s[first].mean())
        rows.append(
            {
                "threshold": threshold,
                "accuracy": accuracy,
                "mean_length_s": mean_s,
                "itr_bits_per_min": _itr(calibration, accuracy, mean_s),
            }
        )
    return rows


def report_lines(figures: dict[str, Any]) -> list[str]:
    """Return the report for a person to read."""
    low, high = figures["interval_95"]
    shuffled = figures["shuffled"]
    band = figures["chance_band_95"]
    folds = ", ".join(f"{f['held_out']} {f['accuracy']:.1%}" for f in figures["folds"])
    lines = [
        f"{figures['validation']}, {figures['n_trials']} trials of {figures['n_symbols']} symbols"
        + (f" ({figures['n_skipped']} skipped)" if figures["n_skipped"] else ""),
        f"  right     {figures['accuracy']:.1%} [{low:.1%}, {high:.1%}]"
        f" at {figures['length_s']:g} s   ({folds})",
        f"  chance    {figures['chance']:.1%} [{band[0]:.1%}, {band[1]:.1%}]",
    ]
    if shuffled["n"]:
        lines.append(
            f"  shuffled  {shuffled['accuracy']:.1%}, highest of {shuffled['n']} shuffles"
            f" {shuffled['highest']:.1%}, p = {shuffled['p']:.3f}"
        )
    lines.append(f"  finding   {figures['finding']}; verdict: not evaluated")
    lines.append("  seconds of EEG   right   95 % interval     bit/min")
    for row in figures["lengths"]:
        low, high = row["interval_95"]
        lines.append(
            f"  {row['length_s']:>14.2f}  {row['accuracy']:>6.1%}  [{low:>6.1%}, {high:>6.1%}]"
            f"  {row['itr_bits_per_min']:>8.1f}"
        )
    lines.append("  committing early (--set decoder.threshold=…)")
    lines += [
        f"  {row['threshold']:>14.2f}  {row['accuracy']:>6.1%}  {row['mean_length_s']:.2f} s mean"
        f"       {row['itr_bits_per_min']:>8.1f}"
        for row in figures["early"]
    ]
    return lines
