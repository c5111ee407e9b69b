"""What a pruning gained and what it cost: the table, and the same as JSON beside the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.spec import Settings
from tools.compression.exam import CONSTANT, Errors
from tools.compression.race import Speed

if TYPE_CHECKING:
    from pathlib import Path


class Line(Settings, frozen=True, kw_only=True):
    """One network: ``size_bytes`` of the files that run, ``packed_bytes`` the same deflated."""

    name: str
    n_parameters: int
    size_bytes: int
    packed_bytes: int
    errors: Errors
    speed: Speed

    def latency_ms(self) -> dict[str, float]:
        """Return what the manifest says of a hop."""
        return {"p50": round(self.speed.p50_ms, 4), "p99": round(self.speed.p99_ms, 4)}


class PruneReport(Settings, frozen=True, kw_only=True):
    """All figures of a pruning. ``kept`` is the line that became the bundle.

    ``bought``: by how much the error rate of the same size from scratch is higher than its own, and
    the 95 % interval of that over texts; None where nobody asked. ``constant`` is the error rate of
    always saying the same. ``n_symbols`` may be selected; None of texts.
    """

    bundle: str
    sha256: str
    parent: str
    method: str
    amount: str
    data: str
    n_texts: int
    sparsity: float
    kept: str
    lines: tuple[Line, ...]
    constant: float | None = None
    unit: str = "characters"
    n_symbols: int | None = None
    bought: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()

    def line(self, name: str) -> Line:
        """Return the line of that name."""
        return next(line for line in self.lines if line.name == name)

    @property
    def chance(self) -> float | None:
        """The error rate of guessing a selection; None of texts."""
        return None if self.n_symbols is None else 1.0 - 1.0 / self.n_symbols


def report_path(bundle: Path) -> Path:
    """Return where the report of ``bundle`` is."""
    return bundle.with_name(f"{bundle.stem}.prune.json")


def encode(report: PruneReport) -> bytes:
    """Return the report as JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


GUESSED = "guessing"
"""The row of a table that selects blindly."""


def table(report: PruneReport) -> list[str]:
    """Return the lines of the table, and under it what has to be said."""
    what = "SIMULATED" if report.data == "simulated" else "recorded"
    is_text = report.unit != "selections"
    heard = "held-out texts" if is_text else "trials, none learnt from"
    errors = "CER" if is_text else "errors"
    found = [
        f"{report.method}, amount {report.amount}: {report.sparsity:.1%} of the parameters gone or"
        f" zero; {report.n_texts} {heard}, {what}",
        "",
        f"{'':18}{'parameters':>12}{'kB':>8}{'packed':>8}{errors:>8}{'more [95 %]':>29}"
        f"{'p50 ms':>9}{'p99 ms':>9}{'speed-up p50':>14}{'p99':>7}",
        *map(_told, report.lines),
    ]
    for name, rate in {CONSTANT: report.constant, GUESSED: report.chance}.items():
        if rate is not None:
            found.append(f"{name:18}{'-':>12}{'-':>8}{'-':>8}{rate:8.2%}  (no EEG)")
    found.append("")
    kept = report.line(report.kept)
    found.append(_speed_said(kept))
    if report.bought is not None:
        found.append(bought_said(*report.bought, errors=errors))
    return [*found, *report.notes]


def _told(line: Line) -> str:
    errors, speed = line.errors, line.speed
    low, high = errors.more_95
    more = f"{errors.more:+.2%} [{low:+.2%}, {high:+.2%}]"
    return (
        f"{line.name:18}{line.n_parameters:12,}{line.size_bytes / 1e3:8.0f}"
        f"{line.packed_bytes / 1e3:8.0f}{errors.cer:8.2%}{more:>29}"
        f"{speed.p50_ms:9.3f}{speed.p99_ms:9.3f}{1 / speed.ratio_p50:13.2f}x"
        f"{1 / speed.ratio_p99:6.2f}x"
    )


def _speed_said(kept: Line) -> str:
    speed = kept.speed
    if speed.ratio_p50_high < 1.0:
        tail = "" if speed.ratio_p99_high < 1.0 else "; that p99 is faster is not shown"
        return (
            f"A hop of the bundle takes {speed.ratio_p50:.0%} of the original's time"
            f" (95 % bound {speed.ratio_p50_high:.0%}; p99 {speed.ratio_p99:.0%}, bound"
            f" {speed.ratio_p99_high:.0%}){tail}."
        )
    return (
        f"The bundle is not faster: a hop takes {speed.ratio_p50:.0%} of the original's time"
        f" (95 % bound {speed.ratio_p50_high:.0%})."
    )


def bought_said(more: float, low: float, high: float, *, errors: str = "CER") -> str:
    """Return what pruning bought, by how much worse the same size from scratch is, and the 95 %."""
    interval = f"{more:+.2%} [{low:+.2%}, {high:+.2%}]"
    if low > 0.0:
        return f"Pruning bought {errors}: the same size from scratch has {interval} more."
    verdict = "better" if high < 0.0 else "as good"
    return (
        f"The same size from scratch is {verdict}, it has {interval} more {errors}: pruning bought"
        " nothing but the choice of the size."
    )
