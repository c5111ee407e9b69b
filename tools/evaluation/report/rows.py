"""Sections made from a report's rows: by recording, by length, and single rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.edits import ERROR_NAMES, edits, sizes
from tools.evaluation.report.charts import Chart, Series, scale_of
from tools.evaluation.report.measured import judged, measured
from tools.evaluation.report.parts import (
    Cell,
    Line,
    Section,
    Strip,
    Strips,
    Table,
    number,
    text,
)
from tools.evaluation.report.verdict import chance_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tools.evaluation.report.data import Folder, Score
    from tools.evaluation.rows import Row

MOST_RECORDINGS = 100
MOST_DOTS = 3000
MOST_BINS = 8
LEAST_IN_BIN = 12
N_EXAMPLES = 6


def recordings(folder: Folder) -> Section | None:
    """Return the error of each recording, as the evaluation tells it."""
    found, name = folder.evaluation, ERROR_NAMES[folder.unit]
    if not found.recordings:
        return None
    worst = sorted(found.recordings, key=lambda one: -one.estimate)[:MOST_RECORDINGS]
    title = ""
    if len(worst) < len(found.recordings):
        title = f"the worst {len(worst)} of {len(found.recordings)}"
    rows = judged(folder)
    strips = [
        Strip(one.name, one.estimate, one.interval, kind="eeg", cells=_counted(folder, rows, one))
        for one in found.recordings
        if one in worst
    ]
    chance = chance_of(folder)
    return Section(
        "By recording",
        "The same error for each recording alone; one that stands far from the others is worth a"
        " look at its electrodes.",
        [
            Strips(
                f"{name} of each recording",
                name,
                ((title, strips),),
                columns=("rows", "exactly right"),
                lines=(
                    Line(found.primary.estimate, "over all"),
                    *(() if chance is None else (Line(chance, "chance"),)),
                ),
                first="recording",
            )
        ],
    )


def _counted(folder: Folder, rows: Sequence[Row], told: Score) -> tuple[str, str]:
    own = [row for row in rows if row.recording == told.name]
    if not own:
        return ("" if told.rows is None else str(told.rows), "")
    n_right = sum(folder.compared(r.hypothesis) == folder.compared(r.reference) for r in own)
    return (str(len(own)), f"{n_right / len(own):.1%}")


def lengths(folder: Folder) -> Section | None:
    """Return error against the length of what was meant; selections are all of one length."""
    rows = judged(folder)
    if folder.unit == "selections" or not rows:
        return None
    references = [folder.compared(row.reference) for row in rows]
    size = sizes(references, folder.unit)
    wrong = edits(references, [folder.compared(row.hypothesis) for row in rows], folder.unit)
    if not size.all() or len(set(size.tolist())) < 2:
        return None
    rate = wrong / size
    kept = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_DOTS)).astype(int))
    found = [(size[part].mean(), measured(folder, *_chosen(rows, part))) for part in _bins(size)]
    name, top = ERROR_NAMES[folder.unit], float(np.quantile(rate, 0.98))
    ends = [end for _, one in found for end in (one.low, one.high)]
    n_above = int((rate > max(top, *ends)).sum())
    chart = Chart(
        caption=f"{name} against the length of what was meant",
        alt="; ".join(f"about {at:.0f} {folder.unit}: {one.estimate:.3f}" for at, one in found),
        x_axis=f"{folder.unit} meant",
        y_axis=name,
        x=scale_of(size.astype(float)),
        y=scale_of([0.0, top, *ends]),
        series=(
            Series("one row", [(float(size[k]), float(rate[k])) for k in kept], "cloud", "other"),
            Series(
                "rows of like length together, with 95 % interval",
                [(float(at), one.estimate) for at, one in found],
                "dots",
                "eeg",
                bars=[(one.low, one.high) for _, one in found],
            ),
        ),
        is_wide=True,
    )
    above = f" {n_above} rows lie higher and are drawn at the top." if n_above else ""
    return Section(
        "By length",
        "Each faint dot is a row, each strong one all rows of about that length: errors that grow"
        f" with length mean that the decoder loses its place.{above}",
        [chart],
    )


def _bins(size: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows in bins of like length and about equally many; equal lengths are together."""
    n_bins = max(1, min(MOST_BINS, len(size) // LEAST_IN_BIN))
    edges = np.unique(np.quantile(size, np.linspace(0.0, 1.0, n_bins + 1)[1:-1]))
    place = np.searchsorted(edges, size, side="left")
    return [np.flatnonzero(place == k) for k in np.unique(place)]


def _chosen(rows: Sequence[Row], part: NDArray[np.int64]) -> tuple[list[Row], list[str]]:
    chosen = [rows[k] for k in part]
    return chosen, [row.hypothesis for row in chosen]


def examples(folder: Folder) -> Section | None:
    """Return single rows of texts: the worst and the best, one for each reference."""
    rows = judged(folder)
    if folder.unit == "selections" or not rows:
        return None
    references = [folder.compared(row.reference) for row in rows]
    size = np.maximum(sizes(references, folder.unit), 1)
    wrong = edits(references, [folder.compared(row.hypothesis) for row in rows], folder.unit)
    order = np.argsort(wrong / size, kind="stable")
    name = ERROR_NAMES[folder.unit]
    parts = []
    for title, places in (("Nearest to what was meant", order), ("Furthest from it", order[::-1])):
        chosen: dict[str, int] = {}
        for place in places:
            chosen.setdefault(references[place], int(place))
            if len(chosen) == N_EXAMPLES:
                break
        found = [(rows[k], float(wrong[k] / size[k])) for k in chosen.values()]
        parts.append(_beside(title, found, name))
    return Section(
        "Rows as they are",
        "Texts beside each other, with the recording and the time to look at; the nearest show how"
        " much of a likeness is chance.",
        parts,
    )


def _beside(title: str, several: Sequence[tuple[Row, float]], name: str) -> Table:
    places = [where(row.recording, row.start_s, row.duration_s) for row, _ in several]
    columns = ("meant", "written", name, *(("where",) if any(places) else ()))
    return Table(
        title,
        columns,
        [
            (
                text(row.reference),
                text(row.hypothesis or "∅"),
                number(error),
                *((Cell(place),) if any(places) else ()),
            )
            for (row, error), place in zip(several, places, strict=True)
        ],
    )


def where(recording: str, start_s: float, duration_s: float) -> str:
    """Return a place in a recording as text, empty where it is not known."""
    if not duration_s or not recording:
        return recording
    return f"{recording}, {start_s:.1f} to {start_s + duration_s:.1f} s"
