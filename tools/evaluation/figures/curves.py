"""How well a number tells right from wrong: ROC and precision-recall curves with their areas.

Equal to scikit-learn's, ties included. What is undefined, for want of cases of one kind, is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.spec import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_POINTS = 1000
"""A curve is kept to be drawn; its area is computed before it is thinned."""


class Curve(Settings, frozen=True, kw_only=True):
    """Points to draw, from the strictest threshold to the mildest.

    ``x`` and ``y`` are false and true positive rate (ROC), or recall and precision. ``area`` is the
    area under ROC, or average precision; ``chance`` what a number that knows nothing gets.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    area: float
    chance: float


class Steps(NamedTuple):
    """True and false positives at each distinct threshold, descending; positive: score >= it."""

    thresholds: NDArray[np.float64]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]


def steps(is_right: NDArray[np.bool_], scores: NDArray[np.float64]) -> Steps:
    """Return the counts at each distinct score; both arrays are of one length, scores finite."""
    order = np.argsort(-scores, kind="stable")
    ordered, right = scores[order], is_right[order]
    is_last = np.ones(len(ordered), dtype=np.bool_)  # of its equals
    is_last[:-1] = ordered[1:] != ordered[:-1]
    positions = np.flatnonzero(is_last)
    tp = np.cumsum(right, dtype=np.int64)[positions]
    return Steps(ordered[positions], tp, positions + 1 - tp)


def roc(is_right: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve | None:
    """Return the ROC curve from (0, 0) to (1, 1); None unless there are cases of both kinds."""
    found = steps(is_right, scores)
    n_right, n_wrong = _n_of_each(is_right)
    if not n_right or not n_wrong:
        return None
    x = np.concatenate([[0.0], found.fp / n_wrong])
    y = np.concatenate([[0.0], found.tp / n_right])
    return _curve(x, y, area=float(np.trapezoid(y, x)), chance=0.5)


def precision_recall(is_right: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve | None:
    """Return precision over recall with average precision; None where nothing is right.

    Average precision is a sum of steps, ``(R_n - R_n-1) P_n``: no line is drawn between points.
    """
    found = steps(is_right, scores)
    n_right, n_wrong = _n_of_each(is_right)
    if not n_right:
        return None
    recall = found.tp / n_right
    precision = found.tp / (found.tp + found.fp)
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    return _curve(recall, precision, area=area, chance=n_right / (n_right + n_wrong))


def _n_of_each(is_right: NDArray[np.bool_]) -> tuple[int, int]:
    n_right = int(is_right.sum())
    return n_right, len(is_right) - n_right


def _curve(x: NDArray[np.float64], y: NDArray[np.float64], *, area: float, chance: float) -> Curve:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).round().astype(int))
    return Curve(x=tuple(x[kept].tolist()), y=tuple(y[kept].tolist()), area=area, chance=chance)
