"""What was decoded, a row for each sentence or selection: kept, so that nothing is decoded twice.

``rows.jsonl`` in a report's folder. All scores, sweeps and reports are made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import RecordingError
from pipeline.spec import Settings
from runtime.whole_file import write_whole
from tools.evaluation.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Row(Settings, frozen=True, kw_only=True):
    """One sentence or selection.

    ``samples`` are ``[first, stop)`` of its recording, ``start_s`` their time from its beginning.
    ``hypothesis`` is empty where nothing was written; ``greedy`` and ``without_lm`` are other
    decodings of the same EEG. Of a selection ``posteriors`` are by symbol, at the decision, and
    ``decided_s`` is the time from its beginning; ``leading`` is the symbol that was likeliest,
    written or not. ``controls``: what was written with other inputs in place of the EEG.
    """

    number: int
    recording: str
    samples: tuple[int, int]
    start_s: float
    duration_s: float
    reference: str
    hypothesis: str
    subject: str = ""
    session: str = ""
    greedy: str | None = None
    without_lm: str | None = None
    confidence: float | None = None
    leading: str | None = None
    posteriors: dict[str, float] | None = None
    decided_s: float | None = None
    controls: dict[str, str] = msgspec.field(default_factory=dict)

    def pair(self) -> Pair:
        """Return what is judged of it."""
        return Pair(
            reference=self.reference,
            hypothesis=self.hypothesis,
            without_lm=self.without_lm,
            subject=self.subject,
            session=self.session,
            recording=self.recording,
            duration_s=self.duration_s,
        )


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows whole or not at all."""
    data = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    write_whole(path, data, is_private=True)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a report.

    Raises:
        RecordingError: the file cannot be read, or a line is no row; names it.
    """
    decoder = msgspec.json.Decoder(Row)
    try:
        return decoder.decode_lines(path.read_bytes())
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: {error}; wanted rows of an evaluation") from None
