"""Which decisions to write: figures at every threshold on how sure the decoder is.

A decision is right where its leading symbol (of a sentence: the whole text) is what was meant. It
is *positive* where it is written, which it is if its posterior (of a sentence: its confidence) is
not below the threshold:

    tp  right and written          fn  right and withheld
    fp  wrong and written          tn  wrong and withheld

So precision is the share of what is written that is right, recall the share of what is right that
is written, fpr the share of what is wrong that is written all the same, and accuracy the share of
decisions rightly written or rightly withheld. It is not the share of trials spelled right.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec.structs import asdict

from pipeline.spec import Settings
from tools.evaluation.figures.curves import Curve, precision_recall, roc, steps
from tools.evaluation.figures.decisions import ScoreName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from tools.evaluation.figures.decisions import Decisions

Metric = Literal["mcc", "accuracy", "precision", "recall", "f1", "fnr", "fpr"]
METRICS: tuple[Metric, ...] = ("mcc", "accuracy", "precision", "recall", "f1", "fnr", "fpr")
SMALLER_IS_BETTER = frozenset({"fnr", "fpr"})

WITHHOLDS_ALL = 2.0
"""No probability reaches it: the last line of a sweep."""

N_FOLDS = 5


class Rates(Settings, frozen=True, kw_only=True):
    """The rates at one threshold; None is undefined."""

    threshold: float
    mcc: float | None
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    fnr: float | None
    fpr: float | None


class Point(Rates, frozen=True, kw_only=True):
    """The rates and counts at one threshold, in the order of the CSV's columns."""

    tp: int
    tn: int
    fp: int
    fn: int


COLUMNS = Point.__struct_fields__


class Best(Settings, frozen=True, kw_only=True):
    """The lowest threshold at which ``metric`` is best, of those that write anything.

    ``chance``: as many decisions written, whichever they be. ``held_out``: each fifth of the
    recordings (of the rows, where there is one recording) at the threshold that was best on the
    rest, for ``point`` was chosen on the rows it is scored on; None where there are too few. Its
    threshold is the mean of theirs.
    """

    metric: Metric
    point: Point
    chance: Rates
    held_out: Point | None


class OperatingPoints(Settings, frozen=True, kw_only=True):
    """What the sweep says: curves, areas beside chance, the best threshold for each metric.

    ``guess`` is the chance that a leading symbol is right, one over the symbols that have a
    posterior; None of sentences. ``best`` lacks a metric that is undefined at every threshold.
    ``undefined`` says in words what could not be computed, and why.
    """

    score: ScoreName
    n: int
    n_right: int
    n_left_out: int
    guess: float | None
    roc: Curve | None
    precision_recall: Curve | None
    best: dict[Metric, Best]
    writes_all: Point
    undefined: tuple[str, ...]


def sweep(found: Decisions) -> list[Point]:
    """Return the figures at 0, at every distinct score and where all is withheld, ascending."""
    counts = steps(found.is_right, found.scores)
    n_right = int(found.is_right.sum())
    n_wrong = len(found.kept) - n_right
    points = [_point(0.0, n_right, n_wrong, 0, 0)]
    for threshold, tp, fp in zip(*(a[::-1].tolist() for a in counts), strict=True):
        if threshold > 0.0:
            points.append(_point(threshold, tp, fp, n_right - tp, n_wrong - fp))
    points.append(_point(WITHHOLDS_ALL, 0, 0, n_right, n_wrong))
    return points


def operating_points(found: Decisions) -> OperatingPoints:
    """Return what the sweep over at least one decision says.

    Raises:
        ValueError: there is no decision.
    """
    if not found.kept or found.score_is is None:
        raise ValueError("operating points: wanted at least one decision with a score")
    points, folds = sweep(found), _folds(found)
    best = {m: one for m in METRICS if (one := _best_for(m, points, folds)) is not None}
    n, n_right = len(found.kept), int(found.is_right.sum())
    n_choices = len({symbol for one in found.kept for symbol in one.row.posteriors or ()})
    return OperatingPoints(
        score=found.score_is,
        n=n,
        n_right=n_right,
        n_left_out=found.n_left_out,
        guess=1 / n_choices if n_choices else None,
        roc=roc(found.is_right, found.scores),
        precision_recall=precision_recall(found.is_right, found.scores),
        best=best,
        writes_all=points[0],
        undefined=tuple(_undefined(n, n_right, found.n_left_out)),
    )


def csv_of(points: Iterable[Point]) -> bytes:
    """Return the sweep as CSV; what is undefined is an empty field."""
    lines = [",".join(COLUMNS)]
    for point in points:
        values = (getattr(point, name) for name in COLUMNS)
        lines.append(",".join("" if value is None else repr(value) for value in values))
    return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True, slots=True)
class _Fold:
    """The sweep over all other decisions, and those that had no part in it."""

    points: list[Point]
    held: Decisions


def _best_for(metric: Metric, points: list[Point], folds: list[_Fold]) -> Best | None:
    """Return the best threshold for ``metric``; None where it is undefined at every one."""
    point = _best_point(metric, points)
    if point is None:
        return None
    return Best(
        metric=metric,
        point=point,
        chance=_at_chance(point),
        held_out=_held_out(metric, folds),
    )


def _best_point(metric: Metric, points: Iterable[Point]) -> Point | None:
    """Return the best of the points that write anything; of equals the one that writes most."""
    sign = -1.0 if metric in SMALLER_IS_BETTER else 1.0
    best, most = None, -inf
    for point in points:
        value = getattr(point, metric)
        if point.tp + point.fp and value is not None and sign * value > most:
            best, most = point, sign * value
    return best


def _at_chance(point: Point) -> Rates:
    """Return the expected rates if as many were written, drawn from all.

    The margins stay as they are, and all rates are linear in tp then.
    """
    n_right, n_wrong = point.tp + point.fn, point.fp + point.tn
    written = (point.tp + point.fp) / (n_right + n_wrong)
    return _rates(
        point.threshold,
        tp=n_right * written,
        fp=n_wrong * written,
        fn=n_right * (1 - written),
        tn=n_wrong * (1 - written),
    )


def _held_out(metric: Metric, folds: list[_Fold]) -> Point | None:
    """Return the figures over all folds."""
    counts, thresholds = np.zeros(4, dtype=np.int64), []
    for fold in folds:
        chosen = _best_point(metric, fold.points)
        if chosen is None:
            return None
        is_written = fold.held.scores >= chosen.threshold
        counts += list(_counts(fold.held.is_right, is_written))
        thresholds.append(chosen.threshold)
    return _point(float(np.mean(thresholds)), *counts.tolist()) if folds else None


def _counts(is_right: NDArray[np.bool_], is_written: NDArray[np.bool_]) -> Iterator[int]:
    """Yield tp, fp, fn, tn."""
    for written in (is_written, ~is_written):
        yield int((is_right & written).sum())
        yield int((~is_right & written).sum())


def _folds(found: Decisions) -> list[_Fold]:
    names = [one.row.recording for one in found.kept]
    numbers = {name: k for k, name in enumerate(dict.fromkeys(names))}
    n = len(names)
    if len(numbers) > 1:
        fold = np.array([numbers[name] for name in names]) % N_FOLDS
    elif n >= 2 * N_FOLDS:
        fold = np.arange(n) * N_FOLDS // n
    else:
        return []
    return [_Fold(sweep(found.only(fold != k)), found.only(fold == k)) for k in np.unique(fold)]


def _point(threshold: float, tp: int, fp: int, fn: int, tn: int) -> Point:
    rates = _rates(threshold, tp=tp, fp=fp, fn=fn, tn=tn)
    return Point(**asdict(rates), tp=tp, tn=tn, fp=fp, fn=fn)


def _rates(threshold: float, *, tp: float, fp: float, fn: float, tn: float) -> Rates:
    margins = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return Rates(
        threshold=threshold,
        mcc=_ratio(tp * tn - fp * fn, sqrt(margins)),
        accuracy=_ratio(tp + tn, tp + fp + fn + tn),
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        fnr=_ratio(fn, tp + fn),
        fpr=_ratio(fp, fp + tn),
    )


def _ratio(above: float, below: float) -> float | None:
    return above / below if below else None


def _undefined(n: int, n_right: int, n_left_out: int) -> Iterator[str]:
    if n_left_out:
        yield f"{n_left_out} rows that say nothing of how sure they are were left out"
    if n_right == n:
        yield "no decision is wrong: ROC, mcc and fpr are undefined"
    if not n_right:
        yield "no decision is right: both curves, mcc, recall and fnr are undefined"
