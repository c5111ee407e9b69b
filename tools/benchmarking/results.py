"""All that a bench found, as one JSON that a program, and a later ``compare``, can read.

Times are milliseconds, rates are of 1. Nothing here says what anybody wrote: of texts there are
lengths and counts of errors alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from pipeline.errors import RecordingError
from pipeline.spec import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

KIND: Literal["eegscribe bench"] = "eegscribe bench"
VERSION = 1
FILE = "bench.json"

Verdict = Literal["within", "beyond", "cannot tell"]


class Spread(Settings, frozen=True, kw_only=True):
    """How times are spread; ``median`` and ``p50`` are one figure under the names both are used."""

    count: int
    mean: float
    median: float
    p50: float
    p95: float
    p99: float
    min: float
    max: float
    standard_deviation: float


def spread(values: NDArray[np.float64]) -> Spread:
    """Return how at least one value is spread."""
    p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
    return Spread(
        count=values.size,
        mean=float(values.mean()),
        median=p50,
        p50=p50,
        p95=p95,
        p99=p99,
        min=float(values.min()),
        max=float(values.max()),
        standard_deviation=float(values.std()),
    )


class Blocks(Settings, frozen=True, kw_only=True):
    """Figures of each block of calls, in order: what a later comparison draws from."""

    mean: tuple[float, ...]
    p50: tuple[float, ...]
    p99: tuple[float, ...]


def blocks(taken: NDArray[np.float64]) -> Blocks:
    """Return the figures of milliseconds (n_blocks, n_windows)."""
    p50, p99 = np.percentile(taken, (50, 99), axis=1)
    named = {"mean": taken.mean(axis=1), "p50": p50, "p99": p99}
    return Blocks(**{name: tuple(np.round(found, 6).tolist()) for name, found in named.items()})


class Against(Settings, frozen=True, kw_only=True):
    """How many times as long as another's calls in the same blocks; bounds are one-sided, 95 %."""

    p50: float
    p50_low: float
    p50_high: float
    p99: float
    p99_low: float
    p99_high: float


class Agreement(Settings, frozen=True, kw_only=True):
    """Share of outputs with the same best symbol; ``constant`` always says the commonest one."""

    estimate: float
    constant: float
    n_outputs: int


class Accuracy(Settings, frozen=True, kw_only=True):
    """Errors of what was written, and how many more than the bundle as it is.

    ``more_low`` and ``more_high`` are one-sided 95 % bounds. ``n_wanted``: units that would tell
    where this many cannot. ``wrong`` counts errors of each text or trial, in order.
    """

    error: float
    error_95: tuple[float, float]
    more: float
    more_low: float
    more_high: float
    verdict: Verdict
    n_wanted: int | None
    wrong: tuple[int, ...]


class Row(Settings, frozen=True, kw_only=True):
    """One backend of one bundle; ``missing`` says in a sentence why nothing could be measured.

    ``call_ms`` is of the model alone, ``stage_ms`` of decodes in the whole chain. ``realtime``: how
    many times faster than the recording the whole chain went.
    """

    bundle: str
    backend: str
    missing: str | None = None
    notes: tuple[str, ...] = ()
    opened_s: float | None = None
    size_bytes: int | None = None
    call_ms: Spread | None = None
    calls_per_s: float | None = None
    blocks: Blocks | None = None
    against_own: Against | None = None
    against_eager: Against | None = None
    stage_ms: dict[str, Spread] = msgspec.field(default_factory=dict)
    realtime: float | None = None
    agreement: Agreement | None = None
    accuracy: Accuracy | None = None


class Benched(Settings, frozen=True, kw_only=True):
    """A bundle and what it was judged on; ``own`` is its backend that others are compared with.

    ``unit_sizes`` are the sizes of texts (in characters or words) or trials (1 each), in order;
    ``constant_error`` is that of always saying the same, without any EEG.
    """

    name: str
    sha256: str
    own: str
    head: str
    rate_hz: float
    call_s: float | None
    data: Literal["simulated", "recorded", "golden"]
    recordings: dict[str, str]
    unit: str
    unit_sizes: tuple[int, ...]
    constant_error: float | None
    notes: tuple[str, ...] = ()


class Result(Settings, frozen=True, kw_only=True):
    """Everything. ``yardstick`` is a fixed piece of work, timed by turns with all backends.

    ``others_busy``: cores that other processes kept busy while it was timed, None where unknown.
    """

    kind: Literal["eegscribe bench"] = KIND
    version: int = VERSION
    command: str
    machine: dict[str, Any]
    others_busy: float | None
    n_blocks: int
    n_windows: int
    max_drop: float
    bundles: tuple[Benched, ...]
    yardstick: Blocks
    rows: tuple[Row, ...]

    def bundle(self, name: str) -> Benched:
        """Return the bundle of that name."""
        return next(bundle for bundle in self.bundles if bundle.name == name)

    def rows_of(self, bundle: str) -> list[Row]:
        """Return the rows of a bundle, itself first."""
        return [row for row in self.rows if row.bundle == bundle]


def encode(result: Result) -> bytes:
    """Return a result as JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"


def is_result(path: Path) -> bool:
    """Say whether a file, or one in a folder, calls itself the result of a bench."""
    try:
        found = msgspec.json.decode(_file(path).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND


def read_result(path: Path) -> Result:
    """Return the result that a bench wrote, from its file or its folder.

    Raises:
        RecordingError: it cannot be read, is none, or is of a newer version.
    """
    file = _file(path)
    try:
        found = msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise RecordingError(f"{file}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingError(f"{file}: {error}; wanted the result of a bench") from None
    version = found.get("version") if isinstance(found, dict) else None
    if type(version) is int and version > VERSION:
        raise RecordingError(
            f"{file}: version {version} needs a newer eegscribe, this one reads up to {VERSION}"
        )
    try:
        result = msgspec.convert(found, Result)
        _check(result)
    except (msgspec.ValidationError, ValueError) as error:
        raise RecordingError(f"{file}: {error}; wanted the result of a bench") from None
    return result


def _check(result: Result) -> None:
    """Refuse figures that contradict each other.

    Raises:
        ValueError: the first contradiction found.
    """
    timed = [("yardstick", result.yardstick)]
    timed += [(f"{row.bundle} {row.backend}", row.blocks) for row in result.rows if row.blocks]
    for name, found in timed:
        for figures in (found.mean, found.p50, found.p99):
            if len(figures) != result.n_blocks or not all(0.0 < v < np.inf for v in figures):
                raise ValueError(f"{name}: wanted {result.n_blocks} times above 0")
    sizes = {bundle.name: bundle.unit_sizes for bundle in result.bundles}
    for row in result.rows:
        if row.bundle not in sizes:
            raise ValueError(f"{row.backend}: bundle {row.bundle!r} is not among the bundles")
        if row.accuracy is not None and len(row.accuracy.wrong) != len(sizes[row.bundle]):
            raise ValueError(f"{row.bundle} {row.backend}: wanted errors of every text")


def _file(path: Path) -> Path:
    return path / FILE if path.is_dir() else path
