"""Sections on how sure the decoder was: calibration, curves, thresholds, hard examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import RecordingError
from tools.evaluation.figures.decisions import decisions
from tools.evaluation.figures.hard_examples import hard_examples
from tools.evaluation.figures.operating_points import operating_points, sweep
from tools.evaluation.figures.reliability import reliability
from tools.evaluation.report.charts import UNIT, Chart, Series, scale_of
from tools.evaluation.report.measured import judged
from tools.evaluation.report.parts import Cell, Facts, Note, Part, Section, Table, number, text
from tools.evaluation.report.rows import where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.evaluation.figures.decisions import Decisions
    from tools.evaluation.figures.hard_examples import Example
    from tools.evaluation.figures.operating_points import Best, OperatingPoints, Point
    from tools.evaluation.report.charts import Colour
    from tools.evaluation.report.data import Folder

CURVES: tuple[tuple[str, Colour], ...] = (
    ("precision", "eeg"),
    ("recall", "noise"),
    ("f1", "text"),
    ("mcc", "fourth"),
)
NAMES = {
    "accuracy": "rightly written or withheld",
    "f1": "F1",
    "fnr": "right, but withheld",
    "fpr": "wrong, but written",
    "mcc": "Matthews' coefficient",
}


def sureness(folder: Folder) -> list[Section]:
    """Return the sections, or one that says why there are none; none for rows without scores."""
    try:
        found = decisions(judged(folder), how=folder.evaluation.normalise)
    except RecordingError as error:
        return [Section("How sure it was", "", [Note(f"Left out: {error}.")])]
    if not found.kept:
        return []
    return [_calibration(found), _points(found), _hard(found)]


def _calibration(found: Decisions) -> Section:
    told = reliability(found.is_right, found.scores)
    chart = Chart(
        caption="Reliability",
        alt="; ".join(f"said {one.said:.2f}, right {one.right:.2f}" for one in told.bins),
        x_axis=f"{found.score_is}, mean of the bin",
        y_axis="share that was right",
        x=UNIT,
        y=UNIT,
        series=(
            Series(
                "decisions in bins of equally many, with 95 % interval",
                [(one.said, one.right) for one in told.bins],
                "dots",
                "eeg",
                bars=[one.interval for one in told.bins],
            ),
        ),
        diagonal="right as often as it says",
    )
    facts = Facts(
        [
            ("decisions", str(len(found.kept))),
            ("mean " + str(found.score_is), f"{told.said:.3f}; right {told.right:.3f}"),
            ("mean distance (ECE)", f"{told.expected_error:.3f}"),
            ("Brier score", f"{told.brier:.3f}"),
        ]
    )
    return Section(
        "Is its confidence to be trusted?",
        "Dots on the dashed line are right as often as the decoder says; below it the decoder is"
        " surer than it should be, above it less sure.",
        [facts, chart],
    )


def _points(found: Decisions) -> Section:
    told, points = operating_points(found), sweep(found)
    parts: list[Part] = []
    if told.undefined:
        parts.append(Note("; ".join(told.undefined).capitalize() + "."))
    if told.best:
        parts.append(_best(told))
    parts += [*_curves(told), _swept(points, told)]
    return Section(
        "What to write and what to withhold",
        "A decision is written if it is at least as sure as the threshold; ROC and precision-recall"
        " curves are better the further they bend away from the dashed line, which is chance.",
        parts,
    )


def _best(told: OperatingPoints) -> Table:
    def row(one: Best) -> list[Cell]:
        name = one.metric
        held = None if one.held_out is None else getattr(one.held_out, name)
        return [
            Cell(NAMES.get(name, name)),
            number(one.point.threshold),
            number(getattr(one.point, name)),
            number(held),
            number(getattr(one.chance, name)),
            Cell(f"{one.point.tp + one.point.fp} of {told.n}", is_number=True),
        ]

    return Table(
        "Best threshold for each figure (all of them: sweep.csv)",
        ("figure", "threshold", "value", "on held-out fifths", "as many at random", "written"),
        [row(one) for one in told.best.values()],
    )


def _curves(told: OperatingPoints) -> list[Chart]:
    found = []
    for name, curve, axes, area in (
        ("ROC", told.roc, ("wrong and written", "right and written"), "area"),
        ("Precision-recall", told.precision_recall, ("recall", "precision"), "average precision"),
    ):
        if curve is None:
            continue
        is_roc = name == "ROC"
        chance = f"chance ({curve.chance:.3f})"
        found.append(
            Chart(
                caption=f"{name}: {area} {curve.area:.3f}",
                alt=f"{name} curve of {told.n} decisions, {area} {curve.area:.3f}, {chance}",
                x_axis=axes[0],
                y_axis=axes[1],
                x=UNIT,
                y=UNIT,
                series=(
                    Series(
                        f"{told.n} decisions, {told.n_right} right",
                        list(zip(curve.x, curve.y, strict=True)),
                        "line" if is_roc else "steps",
                    ),
                ),
                diagonal=chance if is_roc else "",
                levels=() if is_roc else ((curve.chance, chance),),
            )
        )
    return found


def _swept(points: Sequence[Point], told: OperatingPoints) -> Chart:
    inside = [point for point in points if point.threshold <= 1.0]
    inside = inside[:: max(1, len(inside) // 400)]
    series, heights = [], [0.0, 1.0]
    for name, colour in CURVES:
        places = [(p.threshold, getattr(p, name)) for p in inside if getattr(p, name) is not None]
        if places:
            series.append(Series(NAMES.get(name, name), places, "line", colour))
            heights += [height for _, height in places]
    best = told.best.get("f1")
    at = "" if best is None else f"; F1 is best at {best.point.threshold:.3f}"
    return Chart(
        caption="Figures against the threshold",
        alt=f"precision, recall, F1 and Matthews' coefficient for thresholds from 0 to 1{at}",
        x_axis=f"threshold on the {told.score}",
        y_axis="value",
        x=UNIT,
        y=UNIT if min(heights) >= 0.0 else scale_of(heights),
        series=series,
        is_wide=True,
    )


def _hard(found: Decisions) -> Section:
    told = hard_examples(found)
    tables: list[Part] = []
    for title, n, several in (
        ("Wrong, and written", told.n_written_wrong, told.written_wrong),
        ("Right, and withheld", told.n_withheld_right, told.withheld_right),
        ("Right, and hardly sure", told.n_written_right, told.unsure_hits),
    ):
        if several:
            tables.append(_examples(f"{title}: {len(several)} of {n}", several, str(told.score)))
    return Section(
        "Hard examples",
        "Where to look in the recordings: mistakes it was sure of tell what deceives it, right ones"
        " it withheld tell what it does not trust.",
        tables or [Note("There are none.")],
    )


def _examples(title: str, several: Sequence[Example], score: str) -> Table:
    is_wrong = any(one.leading != one.meant for one in several)
    has_ranks = is_wrong and any(one.meant_rank is not None for one in several)
    rows = []
    for one in several:
        took = (text(one.leading or "∅"),) if is_wrong else ()
        rank = (Cell(_ranked(one)),) if has_ranks else ()
        place = where(one.recording, one.start_s, one.stop_s - one.start_s)
        rows.append((text(one.meant), *took, number(one.score), *rank, Cell(place)))
    columns = ["meant", *(["took it for"] if is_wrong else []), score]
    columns += [*(["what was meant came"] if has_ranks else []), "where"]
    return Table(title, tuple(columns), rows)


def _ranked(one: Example) -> str:
    if one.meant_rank is None:
        return ""
    return f"{_ordinal(one.meant_rank)} with {one.meant_posterior or 0.0:.3f}"


def _ordinal(n: int) -> str:
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
