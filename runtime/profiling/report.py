"""What a profile found, as a program reads it, as a person does, and as ``pstats`` does.

Numbers and names of functions only: nothing that anybody said is in them. Imported when the first
profile starts, with cProfile.
"""

from __future__ import annotations

import cProfile
import marshal
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pipeline.errors import EegscribeError
from runtime.places import make_private_folder
from runtime.profiling.stages import EDGES_MS, Cost
from runtime.whole_file import write_whole
from runtime.wire.messages import Spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.profiling.run import ProfileRun

N_FUNCTIONS = 30
WAITING = "<method 'get' of '_queue.SimpleQueue' objects>"
"""What the decode thread does while it has nothing to do."""

ONE_THREAD = sys.version_info < (3, 12)
"""From Python 3.12 on cProfile hears every thread at once and mixes them up (cpython#124656)."""

WHY_NO_FUNCTIONS = (
    "Functions are not told: from Python 3.12 on cProfile cannot trace one thread alone. "
    "Ask py-spy: py-spy record --pid PID --output profile.svg"
)


class ProfileReport(msgspec.Struct, frozen=True, kw_only=True):
    """One profile of one stream. Milliseconds; ``began`` is UTC.

    ``stages`` is of the decodes that nobody traced, ``traced`` of the others; ``counts`` has how
    many of the former lie below, between and above ``edges_ms``.
    """

    stream: str
    session: str
    began: str
    lasted_s: float
    traced_s: float
    decodes: int
    stages: dict[str, Spread]
    traced: dict[str, Spread]
    cost: Cost
    edges_ms: tuple[float, ...] = EDGES_MS
    counts: dict[str, tuple[int, ...]]
    files: tuple[str, ...] = ()


def new_tracer() -> cProfile.Profile | None:
    """Return what traces the thread that enables it, None where Python cannot do that."""
    return cProfile.Profile() if ONE_THREAD else None


def check_folder(folder: Path) -> None:
    """Make ``folder`` where it is missing, readable by this user alone.

    Raises:
        EegscribeError: nothing can be written there.
    """
    try:
        make_private_folder(folder)
    except OSError as error:
        raise unwritable(folder, error) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise unwritable(folder, PermissionError(13, "Permission denied"))


def unwritable(folder: Path, error: OSError) -> EegscribeError:
    """Return what to tell of a folder that takes no profile."""
    is_file = isinstance(error, FileExistsError | NotADirectoryError)
    why = "a file is in its place" if is_file else error.strerror or type(error).__name__
    return EegscribeError(
        f"profile.directory: {folder} takes no profile ({why}), wanted a folder of the daemon's own"
    )


def make_report(run: ProfileRun, *, stream: str, session: str) -> ProfileReport:
    """Return what a run that is over has found."""
    began = datetime.fromtimestamp(run.began_ns / 1e9, UTC)
    return ProfileReport(
        stream=stream,
        session=session,
        began=began.isoformat(timespec="milliseconds"),
        lasted_s=run.lasted_s or 0.0,
        traced_s=run.traced_s,
        decodes=run.rows.n_decodes,
        stages=run.rows.spreads(is_traced=False),
        traced=run.rows.spreads(is_traced=True),
        cost=run.rows.cost(),
        counts=run.rows.counts(),
    )


def write_report(
    report: ProfileReport, tracer: cProfile.Profile | None, folder: Path
) -> ProfileReport:
    """Write ``.pstats``, ``.txt`` and ``.json``, each whole and 0600; return the report with them.

    Raises:
        EegscribeError: the folder takes no files.
    """
    check_folder(folder)
    stem = f"{report.stream}-{_at(report):%Y%m%dT%H%M%S.%f}"[:-3] + "Z"
    contents: dict[str, bytes] = {}
    if tracer is not None:
        tracer.create_stats()
        contents[".pstats"] = marshal.dumps(tracer.stats)
    contents[".txt"] = (as_text(report) + "\n" + _functions(report, tracer)).encode()
    files = tuple(str(folder / f"{stem}{ending}") for ending in (*contents, ".json"))
    report = msgspec.structs.replace(report, files=files)
    contents[".json"] = msgspec.json.format(msgspec.json.encode(report)) + b"\n"
    try:
        for path, content in zip(files, contents.values(), strict=True):
            write_whole(folder / path, content, is_private=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    return report


def as_text(report: ProfileReport) -> str:
    """Return the tables of stages as a person reads them."""
    return "\n".join(
        (
            f"Profile of the stream {report.stream!r} from {_at(report):%Y-%m-%d %H:%M:%S} UTC on: "
            f"{report.decodes} decodes in {report.lasted_s:.1f} s.",
            "",
            f"Milliseconds of a decode, of the {report.stages['total'].n} that were not traced:",
            "",
            *_stage_lines(report),
            "",
            _cost_line(report.cost),
            "",
            "How many of them took how long (from the milliseconds above a column on):",
            "",
            *_count_lines(report),
        )
    )


def _stage_lines(report: ProfileReport) -> list[str]:
    """Return a line for each stage; the last column is what the traced decodes took."""
    titles = ("mean", "p50", "p95", "p99", "max", "over budget", "p50 traced")
    lines = ["stage    " + "".join(title.rjust(max(9, len(title) + 2)) for title in titles)]
    for stage, found in report.stages.items():
        over = "-" if found.over_budget is None else f"{found.over_budget:.1%}"
        values = (found.mean, found.p50, found.p95, found.p99, found.max)
        shown = "".join(_ms(value).rjust(9) for value in values)
        lines.append(f"{stage:9}{shown}{over:>13}{_ms(report.traced[stage].p50):>12}")
    return lines


def _cost_line(cost: Cost) -> str:
    """Return in a sentence what tracing cost."""
    if cost.p50_ms is None:
        return (
            f"What tracing costs is not known: {cost.traced.n} decodes were traced, "
            f"{cost.untraced.n} were not."
        )
    untraced = cost.untraced.p50 or 0.0
    share = f" ({cost.p50_ms / untraced:+.0%})" if untraced else ""
    return (
        f"Tracing cost {cost.p50_ms:+.3f} ms a decode{share}: filter to publish took "
        f"{_ms(cost.traced.p50)} (p50) and {_ms(cost.traced.p99)} ms (p99) traced, "
        f"{_ms(cost.untraced.p50)} and {_ms(cost.untraced.p99)} not."
    )


def _count_lines(report: ProfileReport) -> list[str]:
    """Return the histogram, without the buckets on either side in which nothing lies."""
    used = [any(column) for column in zip(*report.counts.values(), strict=True)]
    if not any(used):
        return ["no decode"]
    first, stop = used.index(True), len(used) - used[::-1].index(True)
    edges = ["0", *(f"{edge:g}" for edge in report.edges_ms)][first:stop]
    lines = ["stage    " + "".join(edge.rjust(7) for edge in edges)]
    for stage, counts in report.counts.items():
        shown = "".join((str(n) if n else "-").rjust(7) for n in counts[first:stop])
        lines.append(f"{stage:9}{shown}")
    return lines


def _functions(report: ProfileReport, tracer: cProfile.Profile | None) -> str:
    """Return the functions that took longest, by themselves and with what they called."""
    if tracer is None:
        return f"\n{WHY_NO_FUNCTIONS}\n"
    found = [_Function(key, *row[1:4]) for key, row in tracer.stats.items()]
    waited_s = sum(one.own_s for one in found if one.name == WAITING)
    working = [one for one in found if one.name != WAITING]
    if not working:
        return "\nNo function was traced.\n"
    n_decodes = report.traced["total"].n
    lines = [
        "",
        f"Functions of the decode thread in {n_decodes} decodes. It was traced for "
        f"{report.traced_s:.2f} s, and waited for samples for {waited_s:.2f} s of them.",
    ]
    orders: dict[str, Callable[[_Function], float]] = {
        "their own time": lambda one: one.own_s,
        "their time with what they called": lambda one: one.whole_s,
    }
    for title, key in orders.items():
        longest = sorted(working, key=key, reverse=True)[:N_FUNCTIONS]
        lines += ["", f"By {title}:", "", "   calls    own ms  whole ms   function"]
        lines += [
            f"{one.n_calls:8}{one.own_s * 1e3:10.2f}{one.whole_s * 1e3:10.2f}   {one.place}"
            for one in longest
        ]
    return "\n".join(lines) + "\n"


class _Function(NamedTuple):
    """A function in a trace: where it is, calls, seconds in itself and with what it called."""

    key: tuple[str, int, str]
    n_calls: int
    own_s: float
    whole_s: float

    @property
    def name(self) -> str:
        """As the tracer calls it."""
        return self.key[2]

    @property
    def place(self) -> str:
        """Name and, where it is Python's, the end of the file's path with the line."""
        path, line, name = self.key
        return f"{name}  ({'/'.join(Path(path).parts[-2:])}:{line})" if line else name


def _at(report: ProfileReport) -> datetime:
    """Return when the profile began."""
    return datetime.fromisoformat(report.began)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if value < 100 else f"{value:.1f}"
