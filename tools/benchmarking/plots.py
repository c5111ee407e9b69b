"""A bench as two pictures: time by backend, and error beside the 99th percentile.

Times are on a logarithmic scale: a call that another process interrupts takes a hundred times as
long as one that it does not, and both matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.edits import ERROR_NAMES
from tools.training.diagnostics.plots import picture

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tools.benchmarking.results import Result, Row

LATENCY, ACCURACY = "latency.png", "accuracy.png"
COLOURS = (
    *("#4477aa", "#66ccee", "#228833", "#999933", "#ddaa33", "#ee6677", "#aa3377", "#882255"),
    *("#994455", "#774411", "#444444"),
)
"""Of backends, in the order in which they first appear."""

MARKERS = "osD^vP*X"
"""Of bundles."""

GREY, DARK = "#777777", "#222222"


def plot(result: Result, folder: Path) -> list[Path]:
    """Draw into ``folder``; return what was written."""
    paths = [folder / LATENCY, folder / ACCURACY]
    _latency(result, paths[0])
    _accuracy(result, paths[1])
    return paths


def _latency(result: Result, path: Path) -> None:
    rows, colours = list(result.rows), _colours(result)
    times = [row.call_ms for row in rows if row.call_ms is not None]
    low, high = 0.6 * min(one.p50 for one in times), max(one.p99 for one in times)
    title = "The model alone: milliseconds a call, one thread, by turns"
    height = 2.2 + 0.42 * len(rows)
    with picture(path, n_rows=1, n_columns=1, height_in=height, title=title) as axes:
        axis = axes[0, 0]
        _log(axis, low, high * (high / low) ** 0.22)  # and room for the figures
        for place, row in enumerate(rows):
            _line(axis, place, row, colours[row.backend], left_ms=low)
        axis.set_yticks(range(len(rows)), [_label(row, result) for row in rows])
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xlabel("milliseconds: dot p50, cross mean, bar p99 (logarithmic)")


def _line(axis: Any, place: int, row: Row, colour: str, *, left_ms: float) -> None:
    found = row.call_ms
    if found is None:
        reason = row.missing or ""
        said = reason if len(reason) < 100 else f"{reason[:99]}…"
        axis.text(1.05 * left_ms, place, f"not here: {said}", va="center", color=GREY, fontsize=9)
        return
    axis.plot([found.p50, found.p99], [place, place], color=colour, linewidth=3, alpha=0.6)
    axis.plot([found.p50], [place], "o", color=colour, markersize=9)
    axis.plot([found.p99], [place], "|", color=colour, markersize=15, markeredgewidth=2.5)
    axis.plot([found.mean], [place], "x", color=DARK, markersize=5)
    said = f"   {found.p50:.3f} / {found.p99:.3f}"
    axis.text(found.p99, place, said, va="center", fontsize=9)


def _accuracy(result: Result, path: Path) -> None:
    """Draw errors, or where nothing was decoded, how often best symbols differ."""
    rows, colours = [row for row in result.rows if row.call_ms], _colours(result)
    names = [bundle.name for bundle in result.bundles]
    has_errors = all(row.accuracy is not None for row in rows)
    times = [row.call_ms.p99 for row in rows if row.call_ms]
    simulated = any(bundle.data == "simulated" for bundle in result.bundles)
    title = f"How right, beside how fast{' (SIMULATED EEG)' if simulated else ''}"
    with picture(path, n_rows=1, n_columns=1, height_in=6.5, title=title) as axes:
        axis = axes[0, 0]
        _log(axis, 0.6 * min(times), 1.6 * max(times))
        for row in rows:
            marker = MARKERS[names.index(row.bundle) % len(MARKERS)]
            _point(axis, row, colours[row.backend], marker, _label(row, result))
        for bundle in result.bundles if has_errors else ():
            _levels(axis, result, bundle.name)
        axis.set_xlabel("99th percentile of a call of the model, milliseconds (logarithmic)")
        axis.set_ylabel(_error_axis(result) if has_errors else "best symbols that differ")
        axis.margins(y=0.15)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)


def _point(axis: Any, row: Row, colour: str, marker: str, label: str) -> None:
    """Draw a backend; a ring, so that of two in one place both are seen."""
    found = row.call_ms
    if found is None:
        return
    if row.accuracy is not None:
        y, (low, high) = row.accuracy.error, row.accuracy.error_95
        axis.plot([found.p99] * 2, [low, high], color=colour, linewidth=1.2, alpha=0.5)
    else:
        y = 1.0 - row.agreement.estimate if row.agreement else 0.0
    style = {"markerfacecolor": "none", "markeredgewidth": 2.2, "markersize": 10}
    axis.plot([found.p99], [y], marker, color=colour, linestyle="none", label=label, **style)


def _levels(axis: Any, result: Result, name: str) -> None:
    """Draw the error that is allowed; say what is reached without any EEG."""
    own, constant = result.rows_of(name)[0].accuracy, result.bundle(name).constant_error
    which = f"{name}: " if len(result.bundles) > 1 else ""
    if own is not None:
        said = f"{which}{result.max_drop:.1%} more than itself"
        axis.axhline(own.error + result.max_drop, color=DARK, linewidth=1, ls=":", label=said)
    if constant is not None:
        said = f"{which}always the same: {constant:.1%}"
        axis.plot([], [], linestyle="none", label=said)


def _log(axis: Any, low: float, high: float) -> None:
    """Make a logarithmic axis with ticks that are read as they are."""
    axis.set_xscale("log")
    axis.set_xlim(low, high)
    ticks = [digit * 10.0**power for power in range(-4, 6) for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.grid(axis="x", color="#dddddd", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _colours(result: Result) -> dict[str, str]:
    names = dict.fromkeys(row.backend for row in result.rows)
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}


def _label(row: Row, result: Result) -> str:
    return row.backend if len(result.bundles) == 1 else f"{row.bundle}: {row.backend}"


def _error_axis(result: Result) -> str:
    units = {str(unit): name for unit, name in ERROR_NAMES.items()}
    return ", ".join(dict.fromkeys(units[bundle.unit] for bundle in result.bundles))
