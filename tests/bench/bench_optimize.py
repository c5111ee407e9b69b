"""How much smaller and faster `optimize` makes a recurrent network and a transformer, with proof.

Both are trained on the simulated person, once, and left in the results' folder. The verb then does
all of it: walks, guard, confirmation on texts it has not seen, one table that begins with torch in
float32 (state carried, inference mode, one thread, the same new samples), then ONNX Runtime in
float32, then each step, and the final size trained from nothing for as long. To reach: 10 times
smaller, 5 times faster, less than 3 % absolute CER lost by the bound, 4 times less memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch

from tests.bench.command import RESULTS, bench_main
from tests.bench.trained import GRU, trained
from tools.compression.optimizing.asked import Asked
from tools.compression.optimizing.optimize import Optimizing
from tools.compression.optimizing.report import EAGER, SCRATCH, OptimizeReport, table, walk_lines
from tools.host import machine

MAX_DROP = 0.03
SMALLER, FASTER, LESS_MEMORY = 10.0, 5.0, 4.0

BASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gru-2x384": GRU,
    "transformer-192": (
        "transformer",
        {
            "network.n_width": 192,
            "network.n_heads": 6,
            "network.n_inner": 768,
            "data.n_batch": 24,
        },
    ),
}


EFFORT: dict[str, dict[str, Any]] = {
    "gru-2x384": {"n_steps": 400, "n_walks": 4},
    "transformer-192": {"n_steps": 700, "n_walks": 4, "n_texts": 100},
}
"""Less than the verb's own, so that all ends within the hour: a transformer listens slowly."""

QUICK = {"n_steps": 2, "n_walks": 2, "n_texts": 24, "n_blocks": 4, "n_windows": 20}


def optimized(name: str, folder: Path, *, quick: bool) -> OptimizeReport:
    """Return the report of one network; print each walk as it ends, and the table.

    A run that was ended goes on in ``folder`` where it was.
    """
    recipe, changes = BASES[name]
    if quick:
        changes = changes | {"training.n_steps": 120 if recipe == "gru-ctc" else 20}
    base = trained(
        RESULTS / f"{name}{'-quick' if quick else ''}.eegb", recipe, changes, n_threads=2
    )
    torch.set_num_threads(1)
    asked = Asked(
        bundle=base,
        out=folder / f"{name}.eegb",
        max_drop=MAX_DROP,
        prefer="speed",
        is_scratch=not quick,
        **(QUICK if quick else EFFORT[name]),
    )
    optimizing = Optimizing(asked)
    unit = optimizing.walker.exam.unit
    report = optimizing.run(on_walk=lambda walk: print("\n".join(walk_lines(walk, unit))))
    optimizing.clean_up()
    print("\n".join(["", *table(report), ""]))
    print(reached(report), end="\n\n", flush=True)
    return report


def reached(report: OptimizeReport) -> str:
    """Return what was reached of what is to reach, against torch in float32."""
    if report.refused is not None or report.confirmation is None:
        return f"NOT reached: {report.refused}"
    first, last = report.rows[0], [row for row in report.rows if row.name != SCRATCH][-1]
    if first.name != EAGER:
        raise ValueError(f"rows: got {first.name} first, wanted {EAGER}")
    smaller = first.size_bytes / last.size_bytes
    found = [
        ("times smaller", smaller, SMALLER, smaller >= SMALLER),
        ("times faster, p50", 1 / last.speed.ratio_p50, FASTER, 1 / last.speed.ratio_p50 >= FASTER),
        ("times faster, p99", 1 / last.speed.ratio_p99, FASTER, 1 / last.speed.ratio_p99 >= FASTER),
    ]
    if first.memory.peak_bytes is not None and last.memory.peak_bytes is not None:
        less = first.memory.peak_bytes / last.memory.peak_bytes
        found.append(("times less memory", less, LESS_MEMORY, less >= LESS_MEMORY))
    lost = report.confirmation.loss.bound
    said = [f"{x:.1f} {what} (to reach {goal:g}: {_yes(ok)})" for what, x, goal, ok in found]
    said.append(
        f"CER lost at most {lost:+.2%} (to reach < {MAX_DROP:.0%}: {_yes(lost < MAX_DROP)})"
    )
    return "; ".join(said)


def _yes(is_so: bool) -> str:  # noqa: FBT001 - a word for a figure
    return "yes" if is_so else "NO"


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and print."""
    folder = RESULTS / ("quick" if quick else "optimized")
    folder.mkdir(parents=True, exist_ok=True)
    reports = {name: optimized(name, folder, quick=quick) for name in BASES}
    print(f"load {machine.load()}", end="\n\n")
    return {name: msgspec.to_builtins(report) for name, report in reports.items()}


if __name__ == "__main__":
    bench_main(run)
