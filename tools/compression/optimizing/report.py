"""What a search found and what was confirmed of it: the tables, and the same as JSON."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import msgspec

from pipeline.spec import Settings
from tools.compression.guard import Loss
from tools.compression.optimizing.walk import Step, Walk
from tools.compression.pruning.table import bought_said
from tools.compression.race import Speed
from tools.host.footprint import Footprint

if TYPE_CHECKING:
    from pathlib import Path

EAGER, RUNTIME, SCRATCH = "float32, torch", "float32, ONNX Runtime", "from scratch"


class Row(Settings, frozen=True, kw_only=True):
    """One form: ``speed`` is beside the first row's. ``loss``: errors on what was searched on."""

    name: str
    size_bytes: int
    bundle_bytes: int | None
    memory: Footprint
    speed: Speed
    loss: Loss | None = None


class Confirmation(Settings, frozen=True, kw_only=True):
    """The one comparison of what was picked with the original, on what was kept from the search.

    ``error`` and ``error_before`` are rates, ``speed`` is beside the original in the same runtime.
    """

    n_texts: int
    error: float
    error_before: float
    loss: Loss
    speed: Speed


class OptimizeReport(Settings, frozen=True, kw_only=True):
    """All figures. ``refused`` says why no bundle was written.

    ``bought``: by how much errors of the same size from scratch are higher than those of what was
    picked, and the 95 % interval; None where nobody asked, or nothing was pruned.
    """

    bundle: str
    parent: str
    data: str
    unit: str
    max_drop: float
    n_search: int
    n_search_units: int
    walks: tuple[Walk, ...]
    front: tuple[str, ...]
    picked: str | None = None
    confirmation: Confirmation | None = None
    rows: tuple[Row, ...] = ()
    bought: tuple[float, float, float] | None = None
    refused: str | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()


def report_path(bundle: Path) -> Path:
    """Return where the report of ``bundle`` is."""
    return bundle.with_name(f"{bundle.stem}.optimize.json")


def front_path(bundle: Path) -> Path:
    """Return where the plot of the front is."""
    return bundle.with_name(f"{bundle.stem}.optimize.png")


def encode(report: OptimizeReport) -> bytes:
    """Return the report as JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def walk_lines(walk: Walk, unit: str) -> list[str]:
    """Return a line a step of one walk, made as it ends."""
    what = "nothing removed" if not walk.amounts else f"removed {walk.key}"
    return [what, *(_step(step, unit) for step in walk.steps)]


def _step(step: Step, unit: str) -> str:
    found = step.figures
    if found is None:
        return f"  {step.name:12} refused: {step.refused}"
    figures = (
        f"{found.size_bytes / 1e3:8.0f} kB  {found.loss.more:+.2%} {unit} wrong"
        f" (at most {found.loss.bound:+.2%})  time p50 {found.speed.ratio_p50:.2f} of the"
        f" original's, p99 {found.speed.ratio_p99:.2f} (at most {found.speed.ratio_p99_high:.2f})"
    )
    return f"  {step.name:12} {figures}  {'kept' if step.is_kept else f'refused: {step.refused}'}"


HEADER = (
    f"{'':24}{'kB':>8}{'smaller':>9}{'bundle kB':>11}{'memory MB':>11}{'p50 ms':>9}{'p99 ms':>9}"
    f"{'faster p50':>12}{'p99':>8}{'share':>7}{'more errors [at most]':>25}"
)


def table(report: OptimizeReport) -> list[str]:
    """Return what was picked and confirmed, form by form, and what has to be said of it."""
    what = "SIMULATED" if report.data == "simulated" else report.data
    lines = [
        f"searched on {report.n_search} texts or trials ({report.n_search_units} {report.unit}),"
        f" {what}; {len(report.walks)} walks, {len(report.front)} on the front",
    ]
    if report.rows:
        first, shares = report.rows[0], _shares(report.rows)
        lines += ["", HEADER]
        lines += [_row(row, first, share) for row, share in zip(report.rows, shares, strict=True)]
        lines += [
            "",
            "One thread, by turns, the same windows; share: of the time saved (on a log scale).",
            "Memory: the peak of a process that only opens and runs it. Errors: where searched.",
        ]
    if report.confirmation is not None:
        lines += ["", *_confirmed(report, report.confirmation)]
    if report.bought is not None:
        lines.append(bought_said(*report.bought))
    return [*lines, *report.notes]


def _row(row: Row, first: Row, share: float | None) -> str:
    peak = row.memory.peak_bytes
    memory = "-" if peak is None else f"{peak / 1e6:.0f}"
    bundle = "-" if row.bundle_bytes is None else f"{row.bundle_bytes / 1e3:.0f}"
    told = "-" if share is None else f"{share:.0%}"
    errors = "-" if row.loss is None else f"{row.loss.more:+.2%} [{row.loss.bound:+.2%}]"
    speed = row.speed
    return (
        f"{row.name:24}{row.size_bytes / 1e3:8.0f}{first.size_bytes / row.size_bytes:8.1f}x"
        f"{bundle:>11}{memory:>11}{speed.p50_ms:9.3f}{speed.p99_ms:9.3f}"
        f"{1 / speed.ratio_p50:11.1f}x{1 / speed.ratio_p99:7.1f}x{told:>7}{errors:>25}"
    )


def _shares(rows: tuple[Row, ...]) -> list[float | None]:
    """Return each row's part of the median time that was saved from the first to the last step."""
    chain = [row for row in rows if row.name != SCRATCH]
    whole = math.log(chain[-1].speed.ratio_p50)
    found: list[float | None] = [None]
    for before, row in itertools.pairwise(chain):
        saved = math.log(row.speed.ratio_p50 / before.speed.ratio_p50)
        found.append(saved / whole if whole < 0.0 else None)
    return found + [None] * (len(rows) - len(chain))


def _confirmed(report: OptimizeReport, found: Confirmation) -> list[str]:
    what = "SIMULATED" if report.data == "simulated" else report.data
    verdict = "confirmed" if report.refused is None else f"NOT confirmed ({report.refused})"
    return [
        f"picked: {report.picked}",
        f"{verdict} on {found.n_texts} other texts or trials, {what}, once: error rate"
        f" {found.error:.2%}, the original's {found.error_before:.2%};"
        f" {found.loss.said(report.unit)}; p99 {found.speed.ratio_p99:.2f} of the original's in the"
        f" same runtime, at most {found.speed.ratio_p99_high:.2f}",
    ]
