"""Runs side by side: by how much each differs from the first, and whether that is beyond noise.

Where two runs wrote for the same rows they are drawn together, by the two-way bootstrap that the
judge uses, so what both find hard does not count. Else each is drawn for itself. Several
comparisons are corrected for (Holm 1979).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.errors import RecordingError
from tools.evaluation.edits import ERROR_NAMES, edits, sizes
from tools.evaluation.permutation import holm
from tools.evaluation.report.data import read_folder
from tools.evaluation.report.measured import judged
from tools.evaluation.resampling import Interval, Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tools.evaluation.report.data import Evaluation, Folder
    from tools.evaluation.resampling import Table
    from tools.evaluation.rows import Row

LEVEL = 0.05
ROUNDING = 1e-6
Z_95 = 1.959964

Drawn = Literal["paired", "unpaired", "from intervals"]
HOW: dict[Drawn, str] = {
    "paired": "paired: both wrote for the same rows",
    "unpaired": "unpaired: their rows are not the same",
    "from intervals": "from their intervals alone, for rows are missing",
}


@dataclass(frozen=True, slots=True)
class Run:
    """A report under a name that no other of the comparison has."""

    name: str
    folder: Folder

    @property
    def evaluation(self) -> Evaluation:
        """What was found."""
        return self.folder.evaluation


@dataclass(frozen=True, slots=True)
class Comparison:
    """``other`` against ``first``: a negative difference says that ``other`` errs less.

    ``p`` is two-sided, ``adjusted`` is it for as many comparisons as are made.
    """

    first: str
    other: str
    difference: Interval
    p: float
    adjusted: float
    how: Drawn

    @property
    def is_beyond_noise(self) -> bool:
        """Say whether noise makes so large a difference in less than 5 % of cases."""
        return self.adjusted < LEVEL


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Return the reports, checked to be of one kind.

    Raises:
        RecordingError: one cannot be read, or they cannot be compared; says why.
    """
    folders = [read_folder(path) for path in paths]
    runs = [Run(name, folder) for name, folder in zip(_names(folders), folders, strict=True)]
    for run, path in zip(runs, paths, strict=True):
        _check_alike(runs[0], run, path)
        _check_rows(run, path)
    return runs


def _names(folders: Sequence[Folder]) -> list[str]:
    """Return titles, with as much of their places as tells them apart."""
    titles = [folder.title for folder in folders]
    names = [f"{folder.title} ({folder.path.resolve().name})" for folder in folders]
    places = [f"{folder.title} ({folder.path})" for folder in folders]
    found = []
    for several in zip(titles, names, places, strict=True):
        columns = zip((titles, names, places), several, strict=True)
        found.append(next((name for all_, name in columns if all_.count(name) == 1), several[-1]))
    return found


def _check_alike(first: Run, run: Run, path: Path) -> None:
    one, other = first.evaluation, run.evaluation
    for what, a, b in (
        ("is judged by", ERROR_NAMES[one.primary.error], ERROR_NAMES[other.primary.error]),
        ("has normalisation", one.normalise, other.normalise),
        ("claims", f"{one.claim} output", f"{other.claim} output"),
    ):
        if a != b:
            raise RecordingError(f"{path}: {what} {b}, wanted {a} as in {first.name}")


def _check_rows(run: Run, path: Path) -> None:
    """Refuse rows that are not those of the evaluation beside them."""
    rows = judged(run.folder)
    if not rows:
        return
    wrong, size = _counted(run.folder, rows)
    found, told = float(wrong.sum() / size.sum()), run.evaluation.primary.estimate
    if abs(found - told) > ROUNDING:
        raise RecordingError(
            f"{path}: rows.jsonl gives an error of {found:.6f} and evaluation.json says"
            f" {told:.6f}, wanted both of one evaluation"
        )


def compare(runs: Sequence[Run], *, seed: int = 0) -> list[Comparison]:
    """Return each run but the first compared with it.

    Raises:
        RecordingError: one has neither rows nor an interval.
    """
    found = [_difference(runs[0], run, seed=seed) for run in runs[1:]]
    adjusted = holm([p for _, p, _ in found])
    return [
        Comparison(runs[0].name, run.name, difference, p, corrected, how)
        for run, (difference, p, how), corrected in zip(runs[1:], found, adjusted, strict=True)
    ]


def _difference(first: Run, other: Run, *, seed: int) -> tuple[Interval, float, Drawn]:
    one, two = judged(first.folder), judged(other.folder)
    if not one or not two:
        return (*_from_intervals(first, other), "from intervals")
    paired = _in_order(first.folder, one, two)
    if paired is None:
        rates = [_drawn(run.folder, rows, seed=seed + k) for k, (run, rows) in
                 enumerate(((first, one), (other, two)))]  # fmt: skip
        (a, a_rates), (b, b_rates) = rates
        return (*_told(b - a, b_rates - a_rates), "unpaired")
    resampling = _resampling(first.folder, one, seed=seed)
    tables = [_table(run.folder, rows, resampling) for run, rows in ((first, one), (other, paired))]
    drawn = resampling.rates(tables[1]) - resampling.rates(tables[0])
    return (*_told(tables[1].rate - tables[0].rate, drawn), "paired")


def _in_order(folder: Folder, rows: Sequence[Row], others: Sequence[Row]) -> list[Row] | None:
    """Return ``others`` in the order of ``rows`` if both are of the same samples and references."""
    waiting: dict[object, list[Row]] = {}
    for row in reversed(others):
        waiting.setdefault(_key(folder, row), []).append(row)
    found = [left.pop() for row in rows if (left := waiting.get(_key(folder, row)))]
    return found if len(found) == len(rows) == len(others) else None


def _key(folder: Folder, row: Row) -> tuple[object, ...]:
    return (row.recording, row.samples, folder.compared(row.reference), row.subject, row.session)


def _resampling(folder: Folder, rows: Sequence[Row], *, seed: int) -> Resampling:
    references = [folder.compared(row.reference) for row in rows]
    drawn = range(len(rows)) if folder.unit == "selections" else references
    return Resampling(list(drawn), [row.subject for row in rows], seed=seed)


def _table(folder: Folder, rows: Sequence[Row], resampling: Resampling) -> Table:
    return resampling.table(*_counted(folder, rows))


def _counted(folder: Folder, rows: Sequence[Row]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the errors and the size of each row."""
    references = [folder.compared(row.reference) for row in rows]
    written = [folder.compared(row.hypothesis) for row in rows]
    return edits(references, written, folder.unit), sizes(references, folder.unit)


def _drawn(folder: Folder, rows: Sequence[Row], *, seed: int) -> tuple[float, NDArray[np.float64]]:
    resampling = _resampling(folder, rows, seed=seed)
    table = _table(folder, rows, resampling)
    return table.rate, resampling.rates(table)


def _told(estimate: float, drawn: NDArray[np.float64]) -> tuple[Interval, float]:
    """Return a difference with its 95 % interval, and the two-sided p that it is none."""
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    n_least = min(np.count_nonzero(drawn <= 0.0), np.count_nonzero(drawn >= 0.0))
    p = min(1.0, 2.0 * (1 + int(n_least)) / (1 + len(drawn)))
    return Interval(estimate, float(low), float(high)), p


def _from_intervals(first: Run, other: Run) -> tuple[Interval, float]:
    """Return the difference as if both errors were normal."""
    from scipy.special import ndtr

    spread = 0.0
    for run in (first, other):
        ends = run.evaluation.interval.primary
        if ends is None:
            raise RecordingError(f"{run.name}: has no rows and no interval, wanted one of them")
        spread += ((ends[1] - ends[0]) / (2 * Z_95)) ** 2
    estimate = other.evaluation.primary.estimate - first.evaluation.primary.estimate
    deviation = spread**0.5
    p = 2.0 * float(ndtr(-abs(estimate) / deviation)) if deviation else float(estimate == 0.0)
    half = Z_95 * deviation
    return Interval(estimate, estimate - half, estimate + half), p
