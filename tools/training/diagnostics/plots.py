"""Diagnostics as pictures, 1200 pixels wide: what a training did, to be seen at a glance."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tools.training.diagnostics.record import (
        AttentionRecord,
        GradientRecord,
        Histogram,
        Part,
        ResourceRecord,
        WeightRecord,
    )

WIDTH_IN = 12.0
DPI = 100
PER_EXAMPLE = ("batch (data)", "activations (forward)")
MAX_PANELS = 24
MAX_LOOKS = 5
PART_COLOURS: dict[Part, str] = {
    "data": "#4477aa",
    "forward": "#228833",
    "backward": "#ccbb44",
    "optimiser": "#ee6677",
    "rest": "#bbbbbb",
    "diagnostics": "#aa3377",
}


@contextlib.contextmanager
def picture(
    path: Path, *, n_rows: int, n_columns: int, height_in: float, title: str, **more: Any
) -> Iterator[Any]:
    """Give axes (n_rows, n_columns) to draw on; the picture is written whole, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, n_columns, squeeze=False, **more)
    figure.suptitle(title, fontsize=15)
    yield axes
    data = io.BytesIO()
    figure.savefig(data, format="png")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data.getvalue())


def plot_gradients(record: GradientRecord, path: Path) -> None:
    """Draw norms and relative sizes over steps, the limits, and where they were broken."""
    from tools.training.diagnostics.record import CEILING, FLOOR

    steps = np.array(record.steps)
    colours = _colours(len(record.parts))
    n_alarms = len(record.alarms)
    title = f"Gradients: {n_alarms or 'no'} alarm{'' if n_alarms == 1 else 's'}"
    with picture(path, n_rows=2, n_columns=1, height_in=9.0, title=title, sharex=True) as axes:
        norms, relatives = axes[:, 0]
        lowest = [_lowest([getattr(p, what) for p in record.parts.values()])
                  for what in ("norm", "relative")]  # fmt: skip
        for (name, part), colour in zip(record.parts.items(), colours, strict=True):
            style = {"color": colour, "linewidth": 1.4, "label": name}
            norms.plot(steps, _drawn(part.norm, lowest[0]), **style)
            relatives.plot(steps, _drawn(part.relative, lowest[1]), **style)
        for alarm in record.alarms:
            value = record.parts[alarm.part].relative[record.steps.index(alarm.step)]
            colour = "#cc0000" if alarm.kind == "exploding" else "#0033cc"
            relatives.axvline(alarm.step, color=colour, linewidth=1.0, linestyle=":")
            if value:
                relatives.plot([alarm.step], [value], "o", color=colour, markersize=8)
        seen = [v for p in record.parts.values() for v in p.relative if v]
        for limit, name in ((CEILING, "ceiling"), (FLOOR, "floor")):
            is_broken = any(alarm.rule == name for alarm in record.alarms)
            if is_broken or (seen and min(seen) / 100 < limit < max(seen) * 100):
                relatives.axhline(limit, color="black", linewidth=1.0, linestyle="--")
                relatives.annotate(name, (0.995, limit), xycoords=("axes fraction", "data"),
                                   ha="right", va="bottom", fontsize=11)  # fmt: skip
        for axis, least in zip((norms, relatives), lowest, strict=True):
            axis.set_yscale("log")
            axis.grid(alpha=0.3)
            if any(0.0 in p.norm for p in record.parts.values()):
                axis.axhline(least, color="grey", linewidth=1.0, linestyle=":")
                axis.annotate("zero", (0.005, least), xycoords=("axes fraction", "data"),
                              va="bottom", fontsize=11)  # fmt: skip
        norms.set_ylabel("norm of the gradients\n(nats per unit of weight)", fontsize=12)
        relatives.set_ylabel("gradient / weight\n(root mean squares)", fontsize=12)
        relatives.set_xlabel("step of training", fontsize=12)
        relatives.set_title(_alarm_words(record), fontsize=11, loc="left", color="#aa0000")
        norms.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=10)


def _alarm_words(record: GradientRecord) -> str:
    words = [f"{a.kind}: {a.part} at step {a.step} ({a.rule})" for a in record.alarms[:4]]
    n_more = len(record.alarms) - len(words)
    return "\n".join([*words, f"and {n_more} more"] if n_more else words)


def plot_weights(record: WeightRecord, path: Path) -> None:
    """Draw each part's histograms, the first look dark and the last one bright."""
    parts = list(record.parts.items())[:MAX_PANELS]
    n_columns = min(3, len(parts))
    n_rows = -(-len(parts) // n_columns)
    left_out = len(record.parts) - len(parts)
    title = "Weights over training" + (f" ({left_out} more parts in the JSON)" if left_out else "")
    steps = sorted({h.step for _, looks in parts for h in looks})
    with picture(
        path, n_rows=n_rows, n_columns=n_columns, height_in=1.5 + 2.6 * n_rows, title=title
    ) as axes:
        for axis in axes.flat[len(parts) :]:
            axis.set_visible(False)
        for axis, (name, looks) in zip(axes.flat, parts, strict=False):
            densities = [_density(look) for look in looks]
            for look, density in zip(looks, densities, strict=True):
                shade = steps.index(look.step) / max(1, len(steps) - 1)
                axis.stairs(*density, color=_shade(shade), linewidth=1.3)
            largest = max(np.nanmax(values) for values, _ in densities)
            least = min(np.nanmin(values) for values, _ in densities)
            first, last = looks[0].rms, looks[-1].rms
            axis.set_title(f"{name}: rms {first:.3g} to {last:.3g}", fontsize=11)
            axis.set_yscale("log")
            axis.set_ylim(min(least / 2, largest / 300), 2 * largest)
            axis.locator_params(axis="x", nbins=4)
            axis.grid(alpha=0.3)
            axis.set_xlabel("weight", fontsize=10)
            axis.set_ylabel("density", fontsize=10)
        _step_bar(axes, steps)


def _density(look: Histogram) -> tuple[Any, Any]:
    """Return densities and edges of a histogram; empty bins are left out of a log axis."""
    counts = np.array(look.counts, dtype=np.float64)
    edges = np.linspace(look.low, look.high, len(counts) + 1)
    density = counts / max(1.0, counts.sum()) / (edges[1] - edges[0])
    return np.where(counts > 0, density, np.nan), edges


def _step_bar(axes: Any, steps: list[int]) -> None:
    """Draw the scale of colours from the first step to the last."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(steps[0], max(steps[-1], steps[0] + 1)), colormaps["viridis"])
    bar = axes.flat[0].figure.colorbar(scale, ax=list(axes.flat), fraction=0.02, pad=0.01)
    bar.set_label("step of training", fontsize=12)


def plot_attention(record: AttentionRecord, path: Path) -> None:
    """Draw the maps, heads averaged: a row a place in the network, a column a look."""
    names = list(record.looks[-1].maps)[: MAX_PANELS // 3]
    chosen = np.unique(np.linspace(0, len(record.looks) - 1, MAX_LOOKS).round().astype(int))
    looks = [record.looks[k] for k in chosen]
    title = "Attention over training, one example, mean of the heads"
    with picture(
        path, n_rows=len(names), n_columns=len(looks), height_in=1.2 + 2.9 * len(names), title=title
    ) as axes:
        for row, name in zip(axes, names, strict=True):
            for axis, look in zip(row, looks, strict=True):
                mean = float(np.mean(look.entropy[name]))
                _map(axis, np.array(look.maps[name]).mean(axis=0), record, name)
                axis.set_title(f"step {look.step}, entropy {mean:.2f}", fontsize=10)
            row[0].set_ylabel(f"{_wrapped(name)}\nasking (frame or symbol)", fontsize=10)


def plot_heads(record: AttentionRecord, path: Path) -> None:
    """Draw the last look head by head, and every head's entropy over the training."""
    names = list(record.looks[-1].maps)[: MAX_PANELS // 3]
    last = record.looks[-1]
    n_heads = max(len(last.maps[name]) for name in names)
    n_columns = min(n_heads, 6) + 1
    title = f"Attention of every head at step {last.step}, and its entropy over training"
    with picture(
        path, n_rows=len(names), n_columns=n_columns, height_in=1.2 + 2.9 * len(names), title=title
    ) as axes:
        for row, name in zip(axes, names, strict=True):
            table = np.array(last.maps[name])
            for head, axis in enumerate(row[:-1]):
                if head >= len(table):
                    axis.set_visible(False)
                    continue
                _map(axis, table[head], record, name)
                axis.set_title(f"head {head}", fontsize=10)
            row[0].set_ylabel(f"{_wrapped(name)}\nasking (frame or symbol)", fontsize=10)
            entropy = np.array([look.entropy[name] for look in record.looks])
            for head, values in enumerate(entropy.T):
                row[-1].plot([look.step for look in record.looks], values, label=f"{head}")
            row[-1].set_ylim(0.0, 1.05)
            row[-1].set_title("entropy (1: looks nowhere)", fontsize=10)
            row[-1].legend(title="head", fontsize=8, title_fontsize=8)
            row[-1].grid(alpha=0.3)
            row[-1].set_xlabel("step of training", fontsize=10)


def _map(axis: Any, table: Any, record: AttentionRecord, name: str) -> None:
    """Draw one map, bright where it looks; axes count what was there before every nth was kept."""
    stride = record.stride[name]
    axis.set_xlabel(
        "frames back" if name in record.looks_back else "asked (frame or symbol)", fontsize=10
    )
    n_rows, n_columns = table.shape[0] * stride[0], table.shape[1] * stride[1]
    axis.imshow(
        table,
        aspect="auto",
        cmap="magma",
        vmin=0.0,
        vmax=max(float(np.quantile(table, 0.995)), 1e-6),
        extent=(-0.5, n_columns - 0.5, n_rows - 0.5, -0.5),
        interpolation="nearest",
    )


def plot_resources(record: ResourceRecord, path: Path) -> None:
    """Draw time by part, throughput and memory over steps, and memory by what holds it."""
    steps = np.array([row.step for row in record.rows])
    title = f"Time and memory on {record.device}, {record.n_batch} examples a step"
    with picture(path, n_rows=2, n_columns=2, height_in=9.0, title=title) as axes:
        (times, rates), (memory, tensors) = axes
        used = [p for p in PART_COLOURS if any(row.ms.get(p, 0.0) > 0.0 for row in record.rows)]
        table = np.array([[row.ms[p] for row in record.rows] for p in used])
        share = 100.0 * table.sum(axis=1) / table.sum()
        labels = [f"{p} {s:.0f} %" for p, s in zip(used, share, strict=True)]
        colours = [PART_COLOURS[p] for p in used]
        times.stackplot(steps, table, labels=labels, colors=colours, step="mid")
        times.set_ylim(0.0, 1.3 * float(np.quantile(table.sum(axis=0), 0.98)))
        times.set_ylabel("milliseconds a step", fontsize=12)
        times.legend(fontsize=10, loc="upper right", ncols=2)
        rates.plot(steps, [row.examples_per_s for row in record.rows], color="#4477aa")
        rates.set_ylabel("examples a second", fontsize=12)
        rates.set_ylim(bottom=0.0)
        memory.plot(
            steps, [row.resident_mib for row in record.rows], color="black", label="between steps"
        )
        peaks = [np.nan if row.peak_mib is None else row.peak_mib for row in record.rows]
        memory.plot(steps, peaks, color="#ee6677", label="most during the steps")
        memory.set_ylabel("memory of the process (MiB)", fontsize=12)
        memory.legend(fontsize=10, loc="lower right")
        for axis in (times, rates, memory):
            axis.set_xlabel("step of training", fontsize=12)
            axis.grid(alpha=0.3)
        names = list(record.tensors_mib)
        values = [record.tensors_mib[name] for name in names]
        bars = tensors.barh(names, values, color="#66ccee")
        tensors.bar_label(bars, [f"{v:.3g} MiB" for v in values], padding=4, fontsize=11)
        tensors.set_xlim(0.0, 1.25 * max(*values, 1e-3))
        tensors.invert_yaxis()
        tensors.set_xlabel("memory of tensors (MiB)", fontsize=12)


def plot_batch_sizes(record: ResourceRecord, path: Path) -> None:
    """Draw memory and time against the examples of a step."""
    sizes = [found.n_batch for found in record.batch_sizes]
    title = f"Memory and time of one step against batch size, on {record.device}"
    with picture(path, n_rows=1, n_columns=2, height_in=5.5, title=title) as axes:
        memory, times = axes[0]
        kept = [found.activations_mib for found in record.batch_sizes]
        memory.plot(sizes, kept, "o-", color="#4477aa", label="activations kept for backward")
        if all(found.peak_mib is not None for found in record.batch_sizes):
            peaks = [found.peak_mib for found in record.batch_sizes]
            memory.plot(sizes, peaks, "s--", color="#ee6677", label="most above rest")
        lasting = sum(record.tensors_mib[k] for k in record.tensors_mib if k not in PER_EXAMPLE)
        memory.axhline(
            lasting, color="black", linestyle=":", label="parameters, gradients, moments"
        )
        memory.set_ylabel("memory (MiB)", fontsize=12)
        memory.legend(fontsize=11)
        times.plot(sizes, [found.ms for found in record.batch_sizes], "o-", color="#228833")
        times.set_ylabel("milliseconds a step", fontsize=12)
        for axis in (memory, times):
            axis.set_xlabel("examples a step", fontsize=12)
            axis.set_ylim(bottom=0.0)
            axis.grid(alpha=0.3)


def _lowest(rows: list[tuple[float | None, ...]]) -> float:
    """Return where a log axis of ``rows`` draws zero: a decade below all that is above."""
    return min((v for row in rows for v in row if v), default=1.0) / 10


def _drawn(values: tuple[float | None, ...], lowest: float) -> Any:
    """Return ``values`` for a log axis, zeros at its ``lowest``; left out what was not finite."""
    return np.array([np.nan if v is None else max(v, lowest) for v in values])


def _colours(n: int) -> list[Any]:
    return [_shade(k / max(1, n - 1), "turbo") for k in range(n)]


def _shade(share: float, name: str = "viridis") -> Any:
    from matplotlib import colormaps

    return colormaps[name](0.05 + 0.9 * share)


def _wrapped(name: str) -> str:
    """Return a module's name on lines of its own, to stand beside a small panel."""
    words = name.split(".")
    lines = [".".join(words[:2]), ".".join(words[2:])] if len(name) > 20 else [name]
    return ".\n".join(lines)
