"""A bench as two pictures: time by backend, and error beside the 99th percentile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.edits import ERROR_NAMES
from tools.training.diagnostics.plots import picture

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tools.benchmarking.results import Result, Row

LATENCY, ACCURACY = "latency.png", "accuracy.png"
COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44", "#66ccee")
GREY = "#777777"


def plot(result: Result, folder: Path) -> list[Path]:
    """Draw into ``folder``; return what was written."""
    paths = [folder / LATENCY, folder / ACCURACY]
    _latency(result, paths[0])
    _accuracy(result, paths[1])
    return paths


def _latency(result: Result, path: Path) -> None:
    rows = list(result.rows)
    names = [bundle.name for bundle in result.bundles]
    height = 2.2 + 0.42 * len(rows)
    title = "Model alone: milliseconds a call, one thread"
    with picture(path, n_rows=1, n_columns=1, height_in=height, title=title) as axes:
        axis = axes[0, 0]
        slowest = max(row.call_ms.p99 for row in rows if row.call_ms)
        for place, row in enumerate(rows):
            colour = COLOURS[names.index(row.bundle) % len(COLOURS)]
            _bar(axis, place, row, colour, at_ms=slowest)
        axis.set_yticks(range(len(rows)), [_label(row, names) for row in rows])
        axis.set_xlim(0.0, 1.28 * slowest)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xlabel("milliseconds: bar p50, line to p99, cross mean")
        axis.spines[["top", "right"]].set_visible(False)


def _bar(axis: Any, place: int, row: Row, colour: str, *, at_ms: float) -> None:
    found = row.call_ms
    if found is None:
        reason = row.missing or ""
        said = reason if len(reason) < 100 else f"{reason[:99]}…"
        axis.text(0.008 * at_ms, place, f"not here: {said}", va="center", color=GREY, fontsize=9)
        return
    axis.barh(place, found.p50, height=0.6, color=colour)
    axis.plot([found.p50, found.p99], [place, place], color="#222222", linewidth=1.4)
    axis.plot([found.p99], [place], "|", color="#222222", markersize=11, markeredgewidth=1.6)
    axis.plot([found.mean], [place], "x", color="#222222", markersize=5)
    said = f"{found.p50:.3f} / {found.p99:.3f}"
    axis.text(found.p99 + 0.012 * at_ms, place, said, va="center", fontsize=9)


def _label(row: Row, names: list[str]) -> str:
    return row.backend if len(names) == 1 else f"{row.bundle}: {row.backend}"


def _accuracy(result: Result, path: Path) -> None:
    """Draw errors, or where nothing was decoded, how often best symbols differ."""
    rows = [row for row in result.rows if row.call_ms is not None]
    has_errors = all(row.accuracy is not None for row in rows)
    names = [bundle.name for bundle in result.bundles]
    title = "How right, beside how fast" + _simulated(result)
    with picture(path, n_rows=1, n_columns=1, height_in=7.5, title=title) as axes:
        axis = axes[0, 0]
        for k, name in enumerate(names):
            _points(
                axis, result.rows_of(name), COLOURS[k % len(COLOURS)], name=_named(result, name)
            )
            _allowed(axis, result, name, COLOURS[k % len(COLOURS)])
        axis.set_xlabel("99th percentile of a call of the model, milliseconds")
        axis.set_ylabel(_error_axis(result) if has_errors else "best symbols that differ")
        axis.set_xlim(left=0.0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.15, y=0.2)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
        axis.legend(frameon=False)


def _points(axis: Any, rows: list[Row], colour: str, *, name: str) -> None:
    """Draw a bundle's backends; those that are equally wrong are numbered apart, not on top."""
    points = []
    for row in rows:
        if row.call_ms is None:
            continue
        if row.accuracy is not None:
            low, high = row.accuracy.error_95
            y = row.accuracy.error
            axis.plot([row.call_ms.p99] * 2, [low, high], color=colour, linewidth=1, alpha=0.35)
        else:
            y = 1.0 - row.agreement.estimate if row.agreement else 0.0
        points.append((row.call_ms.p99, y, row.backend))
    axis.plot([p[0] for p in points], [p[1] for p in points], "o", color=colour, label=name)
    for k, (x, y, said) in enumerate(sorted(points)):
        offset = (7, 9 + 12 * (k % 3)) if k % 2 == 0 else (7, -15 - 12 * (k % 3))
        axis.annotate(
            said,
            (x, y),
            xytext=offset,
            textcoords="offset points",
            fontsize=9,
            color=colour,
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.4},
        )


def _named(result: Result, name: str) -> str:
    constant = result.bundle(name).constant_error
    return name if constant is None else f"{name} (always saying the same: {constant:.1%})"


def _allowed(axis: Any, result: Result, name: str, colour: str) -> None:
    """Draw the error that is allowed."""
    own = result.rows_of(name)[0]
    if own.accuracy is not None:
        at, said = own.accuracy.error + result.max_drop, f"{result.max_drop:.1%} more than itself"
        axis.axhline(at, color=colour, linewidth=1, linestyle=":", label=said)


def _error_axis(result: Result) -> str:
    units = {str(unit): name for unit, name in ERROR_NAMES.items()}
    return ", ".join(dict.fromkeys(units[bundle.unit] for bundle in result.bundles))


def _simulated(result: Result) -> str:
    kinds = {bundle.data for bundle in result.bundles}
    return " (SIMULATED EEG)" if "simulated" in kinds else ""
