"""BIDS: which recordings a folder holds, whose they are, and the texts in their events.

A recording ``sub-01_ses-02_task-copy_eeg.vhdr`` has its events in ``…_events.tsv`` beside it: a
table with ``onset`` and ``duration`` in seconds from the first sample. Where there is one it is
the truth, whatever else the recording says. Of the standard only this much is read.

https://bids-specification.readthedocs.io/en/stable/modality-specific-files/task-events.html
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import RecordingError
from pipeline.values import Marker
from tools.training.data.labelled_text import FOREVER, FoundSpans, TextSpan, find_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = (".vhdr", ".edf", ".bdf", ".set", ".fif", ".xdf")
"""Of recordings that end in ``_eeg``; the last two are what others keep in folders of that kind."""

NOT_RAW = frozenset({"derivatives", "sourcedata", "code"})
TEXT_COLUMNS = ("trial_type", "value")
NOTHING = frozenset({"", "n/a"})
MAX_FILES = 100_000
MAX_BYTES = 1 << 26
MAX_ROWS = 1_000_000

_ENTITY = re.compile(r"(?:^|[_/\\])(sub|ses)-([^_/\\.]+)")


def find_recordings(path: Path) -> list[Path]:
    """Return ``path`` itself, or every ``*_eeg.…`` below where it is a folder, in order of names.

    Raises:
        RecordingError: it is not there, or a folder without such recordings.
    """
    if not path.is_dir():
        return [path]
    found = sorted(_walk(path))
    if not found:
        kinds = ", ".join(SUFFIXES)
        raise RecordingError(f"{path}: no recordings in this folder, wanted *_eeg of {kinds}")
    return found


def _walk(top: Path) -> Iterator[Path]:
    n_files = 0
    for folder, below, names in os.walk(top):
        below[:] = sorted(n for n in below if n not in NOT_RAW and not n.startswith("."))
        n_files += len(names)
        if n_files > MAX_FILES:
            raise RecordingError(f"{top}: over {MAX_FILES} files in it, wanted a folder of data")
        for path in (Path(folder, name) for name in names):
            if path.suffix.lower() in SUFFIXES and path.stem.endswith("_eeg"):
                yield path


def entities(path: Path) -> tuple[str, str]:
    """Return subject and session as the file's name says, or else its folders'; or else empty."""
    names = "/".join(path.parts[-4:])  # sub-01/ses-02/eeg/sub-01_ses-02_eeg.vhdr
    found = dict(_ENTITY.findall(names))  # of several the last one counts
    return found.get("sub", ""), found.get("ses", "")


def events_path(recording: Path) -> Path | None:
    """Return the table of events that belongs to a recording, None where there is none."""
    stem = recording.name.removesuffix(recording.suffix)
    if not stem.endswith("_eeg"):
        return None
    path = recording.with_name(f"{stem.removesuffix('_eeg')}_events.tsv")
    return path if path.is_file() else None


@dataclass(frozen=True, slots=True)
class _Row:
    onset_s: float
    duration_s: float
    text: str


def read_events(path: Path, *, rate_hz: float, column: str | None, prefix: str) -> FoundSpans:
    """Return the spans of text in a table of events, and what is wrong with others.

    A row that lasts longer than a sample is a span; others open one, and ``<prefix>end`` closes it.

    Args:
        path: the table.
        rate_hz: of the recording.
        column: that holds the text; ``trial_type``, or else ``value``, where None.
        prefix: what a text's row begins with.

    Raises:
        RecordingError: it is no such table, or has no row with a text; says what is there.
    """
    rows, faults, others = _rows(path, column, prefix)
    if not rows and not faults:
        seen = ", ".join(repr(text[:30]) for text, _ in others.most_common(4)) or "no values"
        raise RecordingError(
            f"{path}: no row whose text begins with {prefix!r}; it has {seen}"
            " (text_column, text_prefix)"
        )
    spans: list[TextSpan] = []
    points: list[Marker] = []
    for row in rows:
        start = round(row.onset_s * rate_hz)
        stop = round((row.onset_s + row.duration_s) * rate_hz)
        if stop - start > 1:
            spans.append(TextSpan(row.text, start, stop))
        else:
            points.append(Marker(f"text:{row.text}", start, start))
    paired = find_spans(points)
    spans = sorted([*spans, *paired.spans], key=lambda span: (span.start, span.stop))
    lost = [(0, FOREVER)] if faults else paired.lost  # a row that says no time may lie anywhere
    return FoundSpans(tuple(spans), (*faults, *paired.faults), tuple(lost))


def _rows(
    path: Path, column: str | None, prefix: str
) -> tuple[list[_Row], list[str], Counter[str]]:
    """Return the rows with a text, what is wrong with some, and how often other values occur."""
    rows: list[_Row] = []
    faults: list[str] = []
    others: Counter[str] = Counter()
    try:
        table = csv.reader(io.StringIO(_read(path), newline=""), delimiter="\t", strict=True)
        header = next(table, [])
        onset, duration, text = _columns(path, header, column)
        for cells in table:
            line = table.line_num
            if line > MAX_ROWS:
                raise RecordingError(f"{path}: over {MAX_ROWS} lines, wanted a table of events")
            if not cells:
                continue
            if len(cells) != len(header):
                faults.append(f"line {line} has {len(cells)} cells, wanted {len(header)}")
            elif not cells[text].startswith(prefix) or cells[text] in NOTHING:
                others[cells[text]] += 1
            else:
                onset_s = _seconds(cells[onset], missing_s=math.nan)
                duration_s = _seconds(cells[duration], missing_s=0.0)
                if math.isfinite(onset_s) and duration_s >= 0.0:
                    rows.append(_Row(onset_s, duration_s, cells[text][len(prefix) :]))
                else:
                    faults.append(
                        f"line {line} has onset {cells[onset][:20]!r} and duration"
                        f" {cells[duration][:20]!r}, wanted seconds"
                    )
    except csv.Error as error:
        raise RecordingError(f"{path}: no table of tab-separated values ({error})") from None
    return rows, faults, others


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise RecordingError(f"{path}: over {MAX_BYTES >> 20} MiB, wanted a table of events")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: byte {error.start} is not UTF-8 text") from None


def _columns(path: Path, header: list[str], column: str | None) -> tuple[int, int, int]:
    """Return where onset, duration and text stand."""
    wanted = [column] if column is not None else [n for n in TEXT_COLUMNS if n in header][:1]
    missing = [name for name in ("onset", "duration", *wanted) if header.count(name) != 1]
    if missing or not wanted:
        has = ", ".join(repr(name[:30]) for name in header[:12]) or "none"
        lacks = missing[0] if missing else " or ".join(TEXT_COLUMNS)
        raise RecordingError(f"{path}: columns {has}, wanted one named {lacks}")
    return header.index("onset"), header.index("duration"), header.index(wanted[0])


def _seconds(cell: str, *, missing_s: float) -> float:
    """Return a cell's seconds: ``missing_s`` for ``n/a``, NaN for what is no number."""
    if cell.strip() in NOTHING:
        return missing_s
    try:
        seconds = float(cell)
    except ValueError:
        return math.nan
    return seconds if abs(seconds) < 1e9 else math.nan
