"""What a quantization gained and what it cost: the table, and the same as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pipeline.spec import Settings
from tools.compression.exam import CONSTANT, Errors
from tools.compression.guard import FASTER, NO_SLOWER
from tools.compression.race import Speed

if TYPE_CHECKING:
    from pathlib import Path


class Line(Settings, frozen=True, kw_only=True):
    """One form of the network; torch has no files that run, and was not heard."""

    name: str
    size_bytes: int | None
    packed_bytes: int | None
    errors: Errors | None
    speed: Speed

    def latency_ms(self) -> dict[str, float]:
        """Return what the manifest says of a hop."""
        return {"p50": round(self.speed.p50_ms, 4), "p99": round(self.speed.p99_ms, 4)}


class QuantizeReport(Settings, frozen=True, kw_only=True):
    """All figures of a quantization; ``kept`` is the line that is to become the bundle.

    Ratios and errors are against the original in the same runtime, not against torch. ``constant``
    is the error rate of always saying the same.
    """

    bundle: str
    parent: str
    method: str
    data: str
    unit: str
    n_texts: int
    kept: str
    bits: dict[str, int]
    lines: tuple[Line, ...]
    constant: float | None = None
    notes: tuple[str, ...] = ()
    sha256: str | None = None

    def line(self, name: str) -> Line:
        """Return the line of that name."""
        return next(line for line in self.lines if line.name == name)

    @property
    def is_faster(self) -> bool:
        """Whether the kept one was shown to be faster than the original."""
        return self.line(self.kept).speed.ratio_p99_high < FASTER

    def speed_said(self) -> str:
        """Return how the speed of the kept one compares, in a sentence."""
        speed = self.line(self.kept).speed
        verdict = "faster" if self.is_faster else "not shown to be faster"
        return (
            f"{self.kept} is {verdict} than float32 in the same runtime: p99"
            f" {speed.ratio_p99:.2f} of its time, 95 % upper bound {speed.ratio_p99_high:.2f}"
            f" (below {FASTER:g} is faster); p50 {speed.ratio_p50:.2f}, bound"
            f" {speed.ratio_p50_high:.2f}"
        )


def mixed_said(eight: Line, mixed: Line, speed: Speed, *, most: float) -> str:
    """Return how a mixture compares with 8 bits throughout: file, errors, time by turns."""
    size = (mixed.size_bytes or 0) / (eight.size_bytes or 1)
    said = [
        f"{size:.0%} of the file at 8 bits (wanted at most {most:.0%}: {_held(size <= most)})",
        f"p99 {speed.ratio_p99:.2f} of its time, bound {speed.ratio_p99_high:.2f} (no worse is"
        f" below {NO_SLOWER:g}: {_held(speed.ratio_p99_high < NO_SLOWER)})",
    ]
    if mixed.errors is not None and eight.errors is not None:
        more = f"{mixed.errors.more_95[1]:+.2%} and {eight.errors.more_95[1]:+.2%}"
        said.append(f"errors above float32 at most {more} at 8 bits")
    return "mixed: " + "; ".join(said)


def _held(is_so: bool) -> str:  # noqa: FBT001 - a word for a figure
    return "held" if is_so else "NOT held"


def report_path(bundle: Path) -> Path:
    """Return where the report of ``bundle`` is."""
    return bundle.with_name(f"{bundle.stem}.quantize.json")


def encode(report: QuantizeReport) -> bytes:
    """Return the report as JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


HEADER = (
    f"{'':18}{'kB':>8}{'of file':>9}{'packed':>8}{'error':>8}{'more [95 %]':>29}"
    f"{'p50 ms':>9}{'p99 ms':>9}{'time p50':>10}{'p99':>7}"
)


def table(report: QuantizeReport, *, original: str) -> list[str]:
    """Return the lines of the table, and under it what has to be said."""
    what = "SIMULATED" if report.data == "simulated" else report.data
    whole = report.line(original).size_bytes or 1
    texts = "trials" if report.unit == "selections" else "texts"
    heard = f"{report.n_texts} {texts}, {what}; errors in {report.unit}" if report.n_texts else what
    constant = []
    if report.constant is not None:
        constant.append(f"{CONSTANT:18}{'-':>8}{'-':>9}{'-':>8}{report.constant:8.2%}  (no EEG)")
    return [
        f"{report.method}; {heard}; one thread, by turns",
        "",
        HEADER,
        *(_told(line, whole) for line in report.lines),
        *constant,
        "",
        report.speed_said(),
        *report.notes,
    ]


def _told(line: Line, whole: int) -> str:
    size = f"{'-':>8}{'-':>9}{'-':>8}"
    if line.size_bytes is not None and line.packed_bytes is not None:
        size = (
            f"{line.size_bytes / 1e3:8.0f}{line.size_bytes / whole:9.1%}"
            f"{line.packed_bytes / 1e3:8.0f}"
        )
    errors = f"{'-':>8}{'-':>29}"
    if line.errors is not None:
        low, high = line.errors.more_95
        more = f"{line.errors.more:+.2%} [{low:+.2%}, {high:+.2%}]"
        errors = f"{line.errors.cer:8.2%}{more:>29}"
    speed = line.speed
    return (
        f"{line.name:18}{size}{errors}{speed.p50_ms:9.3f}{speed.p99_ms:9.3f}"
        f"{speed.ratio_p50:10.2f}{speed.ratio_p99:7.2f}"
    )
