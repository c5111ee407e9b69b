"""A report's folder as it is read again: ``evaluation.json`` with types, and ``rows.jsonl``.

The keys up to ``reasons`` are those of :mod:`tools.evaluation.summary`. What follows is known only
where a bundle was evaluated; whatever is missing is left out of the page. Keys that we do not know
are passed over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pipeline.errors import RecordingError
from tools.evaluation.edits import Unit
from tools.evaluation.pairs import Normalisation, normalise
from tools.evaluation.rows import Row, read_rows
from tools.evaluation.rule import ALPHA, DELTA, VerdictName

if TYPE_CHECKING:
    from pathlib import Path

EVALUATION = "evaluation.json"
ROWS = "rows.jsonl"
PAGE = "report.html"

Ends = tuple[float, float]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """An error with its interval; ``name`` where there are several."""

    estimate: float
    interval: Ends | None = None
    name: str = ""
    rows: int | None = None


class Intervals(msgspec.Struct, frozen=True):
    """Intervals of the rates, at ``level``."""

    level: float = 0.95
    wer: Ends | None = None
    cer: Ends | None = None
    primary: Ends | None = None


class Primary(msgspec.Struct, frozen=True):
    """The error that is judged."""

    error: Unit
    estimate: float


class Other(msgspec.Struct, frozen=True):
    """Another input or a baseline beside EEG."""

    error: float
    interval: Ends
    more_than_eeg: float
    more_interval: Ends
    more_at_least: float
    p: float | None = None


class Exchange(msgspec.Struct, frozen=True):
    """A permutation test."""

    plain: float
    n_permutations: int
    n_strata: int
    p: float | None = None
    by_rows: float | None = None
    by_texts: float | None = None
    z: float | None = None


class Named(msgspec.Struct, frozen=True):
    """The share of rows named right among ``ways`` texts."""

    ways: int
    chance: float
    estimate: float
    interval: Ends


class Controls(msgspec.Struct, frozen=True):
    """All that stands beside the error."""

    permutation: dict[str, Exchange | None] = {}
    inputs: dict[str, Other] = {}
    baselines: dict[str, Other] = {}
    identification: tuple[Named, ...] = ()
    shared_texts: int = 0
    shared_recordings: int = 0


class Rule(msgspec.Struct, frozen=True):
    """What the verdict asks, and which conditions hold."""

    delta: float = DELTA
    alpha: float = ALPHA
    holds: dict[str, bool] = {}


class MostFrequent(msgspec.Struct, frozen=True):
    """What was written most often."""

    hypothesis: str
    rows: int


class Bundle(msgspec.Struct, frozen=True):
    """The bundle that was evaluated; ``written`` is its digest with the verdict in it."""

    name: str
    sha256: str = ""
    written: str | None = None


class Spread(msgspec.Struct, frozen=True):
    """Milliseconds of one stage."""

    p50: float
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class TransferRate(msgspec.Struct, frozen=True):
    """The information transfer rate of selections, and what it counts."""

    bits_per_min: float | None
    interval: tuple[float | None, float | None] = (None, None)
    symbols: int | None = None
    seconds_per_selection: float | None = None
    counts: str = ""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """``evaluation.json``.

    ``simulated``: no EEG of any person. ``chance``: the primary error of a guess. ``throughput``
    and ``made_of`` hold names and values, or groups of them, as they are to be read.
    """

    primary: Primary
    verdict: VerdictName
    reasons: tuple[str, ...]
    wer: float | None = None
    cer: float | None = None
    bleu: float | None = None
    exact: float | None = None
    interval: Intervals = Intervals()
    normalise: Normalisation = "basic"
    claim: Literal["free-running", "teacher-forced"] = "free-running"
    teacher_forced: Score | None = None
    rows: int = 0
    rows_left_out: int = 0
    distinct_references: int = 0
    distinct_hypotheses: int = 0
    most_frequent: MostFrequent | None = None
    empty: float = 0.0
    controls: Controls = Controls()
    rule: Rule = Rule()
    title: str = ""
    bundle: Bundle | None = None
    simulated: bool = False
    chance: float | None = None
    recordings: tuple[Score, ...] = ()
    decodings: dict[str, Score | None] = {}
    trained_symbols: dict[str, int] | None = None
    abstained: int = 0
    characters_outside_texts: int = 0
    characters_left_out: int = 0
    itr: TransferRate | None = None
    characters_per_min: float | None = None
    right_characters_per_min: float | None = None
    realtime_factor: float | None = None
    latency_ms: dict[str, Spread] = {}
    throughput: dict[str, Any] = {}
    made_of: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Folder:
    """A report's folder: its evaluation and, where they are kept, its rows.

    ``rows`` are as they were decoded; :meth:`compared` gives a text of them as it was judged.
    """

    path: Path
    evaluation: Evaluation
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """What was evaluated."""
        found = self.evaluation
        if found.title or found.bundle is None:
            return found.title or self.path.resolve().name
        return found.bundle.name

    @property
    def unit(self) -> Unit:
        """What the primary error counts."""
        return self.evaluation.primary.error

    def compared(self, text: str) -> str:
        """Return ``text`` as it is compared."""
        return normalise(text, self.evaluation.normalise)


def read_folder(path: Path) -> Folder:
    """Return what is in a report's folder, or beside an ``evaluation.json``.

    Raises:
        RecordingError: there is no evaluation, or a file is not what it should be; names it.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / EVALUATION if path.is_dir() else path
    rows = folder / ROWS
    found = read_evaluation(file)
    return Folder(folder, found, tuple(read_rows(rows)) if rows.is_file() else ())


def read_evaluation(path: Path) -> Evaluation:
    """Return an ``evaluation.json``.

    Raises:
        RecordingError: it cannot be read, or is none; names the key.
    """
    try:
        return msgspec.convert(json.loads(path.read_bytes()), Evaluation)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise RecordingError(f"{path}: {error}; wanted an evaluation of ours") from None
