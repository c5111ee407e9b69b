"""Errors of some of a report's rows, with the intervals that the judge would give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.edits import edits, sizes
from tools.evaluation.resampling import Interval, Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.evaluation.report.data import Folder
    from tools.evaluation.rows import Row

N_DRAWS = 2000


def judged(folder: Folder) -> list[Row]:
    """Return the rows that were judged: those whose reference is not empty when normalised."""
    return [row for row in folder.rows if folder.compared(row.reference)]


def measured(folder: Folder, rows: Sequence[Row], hypotheses: Sequence[str]) -> Interval:
    """Return the primary error of ``hypotheses``, one a row, with its 95 % interval."""
    references = [folder.compared(row.reference) for row in rows]
    written = [folder.compared(text) for text in hypotheses]
    # As the judge does: of selections trials are drawn, of sentences distinct texts.
    drawn = range(len(rows)) if folder.unit == "selections" else references
    found = Resampling(list(drawn), [row.subject for row in rows], n_draws=N_DRAWS)
    counts = edits(references, written, folder.unit)
    return found.interval(found.table(counts, sizes(references, folder.unit)))
