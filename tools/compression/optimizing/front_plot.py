"""The front of a search as a plot: errors against time, and against size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.compression.optimizing.choice import kept_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tools.compression.optimizing.choice import Kept
    from tools.compression.optimizing.report import OptimizeReport
    from tools.compression.optimizing.walk import Figures

MARKERS = {"pruned": "s", "int8": "o", "int8-trained": "P", "mixed": "D", "float16": "^"}

ROOM = 1.06
"""Of the largest x: points that are all about as large would be cut off at the edge."""


def plot(report: OptimizeReport, path: Path) -> None:
    """Draw every step that was made, hollow where it was refused, into the PNG at ``path``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(12, 4.8), sharey=True, layout="constrained")
    kept = kept_of(report.walks)
    time_label = "median time of a hop, % of the original's in the same blocks"
    _panel(panels[0], report, kept, lambda one: 100 * one.speed.ratio_p50, time_label)
    _panel(panels[1], report, kept, lambda one: one.size_bytes / 1e3, "files that run, kB")
    panels[0].set_ylabel(f"errors above the original's, % of {report.unit}\n(bar: 95 % bound)")
    panels[1].legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    panels[1].annotate(
        "filled: kept\nhollow: refused", (1.02, 0.02), xycoords="axes fraction", fontsize="small"
    )
    what = "SIMULATED" if report.data == "simulated" else report.data
    figure.suptitle(
        f"{report.bundle}: what was searched, on {report.n_search} texts or trials, {what}"
    )
    partial = path.with_name(f".{path.name}.partial")
    figure.savefig(partial, format="png", dpi=130)
    plt.close(figure)
    partial.replace(path)


def _panel(
    panel: Any,
    report: OptimizeReport,
    kept: Sequence[Kept],
    x_of: Callable[[Figures], float],
    x_label: str,
) -> None:
    labelled: set[str] = set()
    for walk in report.walks:
        for step in walk.steps:
            if step.figures is None:
                continue
            loss, is_new = step.figures.loss, step.name not in labelled
            labelled.add(step.name)
            panel.errorbar(
                x_of(step.figures),
                100 * loss.more,
                yerr=[[0.0], [100 * (loss.bound - loss.more)]],
                fmt=MARKERS[step.name],
                color="C0" if step.is_kept else "0.6",
                markerfacecolor=None if step.is_kept else "white",
                elinewidth=0.8,
                label=step.name if is_new else None,
                markersize=7,
            )
    line = sorted(
        (x_of(one.figures), 100 * one.figures.loss.more) for one in kept if one.name in report.front
    )
    if line:
        panel.plot(*zip(*line, strict=True), color="C0", alpha=0.4, label="front")
    picked = [one for one in kept if one.name == report.picked]
    for one in picked:
        panel.plot(
            x_of(one.figures),
            100 * one.figures.loss.more,
            "*",
            color="C3",
            markersize=16,
            label="picked",
        )
    panel.axhline(100 * report.max_drop, color="C3", linestyle="--", linewidth=1, label="allowed")
    panel.axhline(0.0, color="0.5", linewidth=0.8)
    panel.set_xlim(0.0, ROOM * panel.dataLim.x1)
    panel.set_xlabel(x_label)
    panel.grid(visible=True, alpha=0.25)
