"""Outputs that were scored, as a report's folder: as of a bundle, less what only a bundle has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from tools.evaluation import rates
from tools.evaluation.evaluate import compared_rows
from tools.evaluation.figures.figures import figures
from tools.evaluation.report.folder import EVALUATION, ROWS, whole_folder
from tools.evaluation.report.made_by import made_here
from tools.evaluation.report.report import write_report
from tools.evaluation.rows import Row, write_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tools.evaluation.edits import Unit
    from tools.evaluation.pairs import Normalisation, Pair


def rows_of(
    pairs: Sequence[Pair],
    controls: Mapping[str, Sequence[Pair]],
    *,
    is_forced: bool = False,
) -> list[Row]:
    """Return pairs as rows, of which nobody says where they are in a recording.

    Args:
        pairs: those that are judged, as they were written.
        controls: what other inputs gave for the same pairs, by name.
        is_forced: what is claimed is the teacher-forced output.
    """
    return [
        Row(
            number=number,
            recording=pair.recording,
            samples=(0, 0),
            start_s=0.0,
            duration_s=pair.duration_s or 0.0,
            reference=pair.reference,
            hypothesis=_claimed(pair, is_forced=is_forced),
            subject=pair.subject,
            session=pair.session,
            without_lm=pair.without_lm,
            controls={
                name: _claimed(given[number], is_forced=is_forced)
                for name, given in controls.items()
            },
        )
        for number, pair in enumerate(pairs)
    ]


def _claimed(pair: Pair, *, is_forced: bool) -> str:
    if is_forced and pair.teacher_forced is not None:
        return pair.teacher_forced
    return pair.hypothesis


def write_scored(
    out: Path,
    rows: Sequence[Row],
    summary: Mapping[str, Any],
    *,
    title: str,
    made_of: Mapping[str, Any],
    seed: int,
    trained: Mapping[str, int] | None = None,
) -> None:
    """Write the folder of a report, whole or not at all; ``trained`` counts training's symbols."""
    unit: Unit = summary["primary"]["error"]
    how: Normalisation = summary["normalise"]
    compared = compared_rows(rows, how)
    told = {
        **summary,
        "title": title,
        "recordings": rates.by_recording(compared, unit, seed=seed) if _are_named(rows) else [],
        "decodings": rates.by_decoding(compared, unit, seed=seed),
        "trained_symbols": trained,
        "figures": msgspec.to_builtins(figures(rows, unit, how=how, trained=trained)),
        "made_of": {**made_here(), **made_of, "seed": seed},
    }
    with whole_folder(out) as folder:
        write_rows(folder / ROWS, rows)
        text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
        (folder / EVALUATION).write_text(text, encoding="utf-8", errors="replace")
        write_report(folder)


def _are_named(rows: Sequence[Row]) -> bool:
    return all(row.recording for row in rows)
