"""The report of a trained bundle: what it is worth, beside what chance and no signal are worth.

Written as ``B.report.json``; :func:`table` is the same to read. A share is of 1, a time in seconds
of the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from pipeline.spec import Settings
from runtime.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

Interval = tuple[float, float]


class Reading(Settings, frozen=True, kw_only=True):
    """How well texts were read, over whole sessions.

    ``wrong_finals``: share of final symbols that the alignment with the truth does not find right
    at their place. ``repeated_4_words`` and ``repeated_8_characters``: share of the n-grams of a
    transcript that stood in it before. ``lag``: from the end of a right symbol's true span to its
    final. ``flicker``: symbols shown and then replaced or removed, per final symbol.
    """

    cer: float
    cer_95: Interval
    substitutions: int
    deletions: int
    insertions: int
    characters: int
    texts: int
    insertion_rate: float
    wrong_finals: float
    n_final_symbols: int
    repeated_4_words: float
    repeated_8_characters: float
    flicker: float
    lag_p50_s: float | None = None
    lag_p95_s: float | None = None


class Silence(Settings, frozen=True, kw_only=True):
    """What became final while nothing was said."""

    minutes: float
    finals_per_min: float
    symbols_per_min: float


class Baseline(Settings, frozen=True, kw_only=True):
    """What always saying one ``phrase``, chosen on training text, is worth."""

    phrase: str
    cer: float
    cer_95: Interval


class Point(Settings, frozen=True, kw_only=True):
    """The curve's CER after so many minutes of training, over ``texts`` held-out texts.

    ``symbols``: how often each character was meant, written, and right, by the bundle's decoder.
    """

    minutes: float
    cer: float
    greedy_cer: float
    texts: int
    symbols: dict[str, tuple[int, int, int]] = msgspec.field(default_factory=dict)


class Report(Settings, frozen=True, kw_only=True):
    """All of it. ``readings``: by decoder; ``control``: the same sessions without their signal.

    ``truth_repeated`` are the two shares of repetition of the true texts themselves.
    """

    bundle: str
    sha256: str
    family: str
    data: Literal["simulated", "recorded"]
    control_is: str
    training_min: float
    n_steps: int
    readings: dict[str, Reading]
    control: Reading
    baseline: Baseline
    truth_repeated: tuple[float, float]
    silence: dict[str, Silence]
    curve: tuple[Point, ...] = ()

    @property
    def is_control_clean(self) -> bool:
        """Say whether without signal nothing is read: no better than the best constant phrase."""
        return self.control.cer >= self.baseline.cer


def report_path(bundle: Path) -> Path:
    """Return where the report of ``bundle`` is kept: beside it."""
    return bundle.with_name(f"{bundle.stem}.report.json")


def write_report(path: Path, report: Report) -> None:
    """Write the report whole or not at all."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def table(report: Report) -> list[str]:
    """Return the report as lines to read."""
    data = "SIMULATED data" if report.data == "simulated" else "recorded data"
    baseline = report.baseline
    lines = [
        f"{report.bundle} ({report.family}), held-out texts, {data}: {report.n_steps} steps, "
        f"{report.training_min:.1f} minutes",
        f"{'':28}{'CER':>8}{'95 % interval':>18}{'inserted':>10}{'wrong':>8}{'flicker':>9}"
        f"{'lag p50':>9}{'p95':>8}",
    ]
    for name, reading in {**report.readings, "control": report.control}.items():
        label = f"{name}: {report.control_is}" if name == "control" else name
        lines.append(_row(label, reading))
    lines += [
        f"{'text alone (chance)':28}{baseline.cer:8.1%}{_interval(baseline.cer_95):>18}  "
        f"always saying {baseline.phrase!r}",
        "control is " + ("no better than" if report.is_control_clean else "BETTER THAN") + " chance"
        f" ({report.control.cer:.1%} and {baseline.cer:.1%})",
        "",
        f"{'repeated n-grams':28}{'4 words':>9}{'8 characters':>14}",
    ]
    lines += [
        f"{name:28}{reading.repeated_4_words:9.1%}{reading.repeated_8_characters:14.1%}"
        for name, reading in report.readings.items()
    ]
    words, characters = report.truth_repeated
    lines += [f"{'truth':28}{words:9.1%}{characters:14.1%}", ""]
    lines += [f"{'nothing said, ' + data:40}{'minutes':>8}{'finals/min':>12}{'symbols/min':>13}"]
    lines += [
        f"{name:40}{quiet.minutes:8.1f}{quiet.finals_per_min:12.2f}{quiet.symbols_per_min:13.2f}"
        for name, quiet in report.silence.items()
    ]
    return lines + _curve(report, data)


def _row(label: str, reading: Reading) -> str:
    lag = [f"{s:.2f} s" if s is not None else "" for s in (reading.lag_p50_s, reading.lag_p95_s)]
    return (
        f"{label:28}{reading.cer:8.1%}{_interval(reading.cer_95):>18}{reading.insertion_rate:10.1%}"
        f"{reading.wrong_finals:8.1%}{reading.flicker:9.2f}{lag[0]:>9}{lag[1]:>8}"
    )


def _interval(interval: Interval) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _curve(report: Report, data: str) -> list[str]:
    if not report.curve:
        return []
    chance = report.baseline.cer
    lines = ["", f"{'minutes of training':28}{'CER':>8}{'greedy':>9}{'chance':>9}   {data}"]
    lines += [
        f"{point.minutes:<28.2f}{point.cer:8.1%}{point.greedy_cer:9.1%}{chance:9.1%}   "
        f"{point.texts} texts"
        for point in report.curve
    ]
    return lines
