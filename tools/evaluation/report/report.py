"""The report of an evaluation: one page that a clinic can read, made of the files beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.whole_file import write_whole
from tools.evaluation.edits import ERROR_NAMES
from tools.evaluation.report.controls import decodings, identification, permutation
from tools.evaluation.report.data import PAGE, read_folder
from tools.evaluation.report.making import made_of, speed
from tools.evaluation.report.page import Page, html
from tools.evaluation.report.rows import examples, lengths, recordings
from tools.evaluation.report.sureness import sureness
from tools.evaluation.report.symbols import frequencies, symbols
from tools.evaluation.report.verdict import announced, first_screen, scores

if TYPE_CHECKING:
    from pathlib import Path

    from tools.evaluation.report.data import Folder

SIMULATED = "What follows says nothing about the EEG of a person."


def write_report(folder: Path) -> Path:
    """Write ``report.html`` of a report's folder, whole or not at all, and return its path.

    Raises:
        RecordingError: ``evaluation.json`` or ``rows.jsonl`` cannot be read; names it.
    """
    path = folder / PAGE
    write_whole(path, html(page_of(read_folder(folder))), is_private=True)
    return path


def page_of(folder: Folder) -> Page:
    """Return what is on a report's page; what is not known is left out."""
    found = folder.evaluation
    sections = (
        scores(folder),
        permutation(folder),
        identification(folder),
        decodings(folder),
        recordings(folder),
        speed(folder),
        lengths(folder),
        symbols(folder),
        *sureness(folder),
        frequencies(folder),
        examples(folder),
        made_of(folder),
    )
    created = str(found.made_of.get("created", ""))
    subtitle = [f"judged by {ERROR_NAMES[folder.unit]}", f"{found.claim} output", created]
    return Page(
        title=f"Does {folder.title} read EEG?",
        subtitle=", ".join(part for part in subtitle if part),
        verdicts=[announced(found, of="Verdict")],
        first=first_screen(folder),
        sections=[section for section in sections if section is not None],
        simulated=SIMULATED if found.simulated else "",
    )
