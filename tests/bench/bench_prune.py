"""What pruning takes off a simulated CTC model, and what it costs: the verb, method by method.

A network of two GRU layers of 384 is trained on the simulated person, once for all methods, and
left in the results' folder, as is what each method made. Every method takes 40 % or more of the
hidden units, fine-tunes, and is compared with the original on the same texts and, in alternating
blocks, on the same hops; for structured pruning a network of the final size is trained from nothing
for as many steps as the original and its fine-tuning. To reach: 40 % structured sparsity, less than
2 % absolute CER lost by the interval's upper end, and a measured speed-up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch

from tests.bench.command import RESULTS, bench_main
from tests.bench.trained import GRU, trained
from tools.compression.pruning.asked import Asked
from tools.compression.pruning.prune import Pruning
from tools.compression.pruning.table import PruneReport, table

MOST_LOST = 0.02
LEAST_SPARSE = 0.40

METHODS: dict[str, dict[str, Any]] = {
    "structured": {"amount": "hidden=0.4", "is_scratch": True},
    "structured by magnitude": {"amount": "hidden=0.4", "importance": "magnitude"},
    "iterative": {"amount": "hidden=0.4"},
    "magnitude": {"amount": "0.6"},
    "lottery": {"amount": "hidden=0.4"},
}


def pruned(base: Path, folder: Path, name: str, *, quick: bool) -> PruneReport:
    """Return the report of one method."""
    method = name.split()[0]
    asked = Asked(
        bundle=base,
        out=folder / f"{name.replace(' ', '-')}.eegb",
        method=method,  # type: ignore[arg-type]
        n_steps=None if not quick else 5,
        n_texts=None if not quick else 5,
        n_blocks=20 if not quick else 4,
        **METHODS[name],
    )
    pruning = Pruning(asked)
    report = pruning.run()
    pruning.clean_up()
    return report


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and print."""
    recipe, changes = GRU
    base = RESULTS / "gru-2x384.eegb"
    if quick:
        base, changes = RESULTS / "gru-2x384-quick.eegb", changes | {"training.n_steps": 120}
    base = trained(base, recipe, changes, n_threads=2)
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    folder = RESULTS / ("pruned-quick" if quick else "pruned")
    folder.mkdir(parents=True, exist_ok=True)
    for name in METHODS:
        report = pruned(base, folder, name, quick=quick)
        print(f"-- {name}\n" + "\n".join(table(report)) + "\n", flush=True)
        found[name] = msgspec.to_builtins(report)
        if name == "structured":
            print(_reached(report) + "\n", flush=True)
    return found


def _reached(report: PruneReport) -> str:
    kept = report.line(report.kept)
    lost, faster = kept.errors.more_95[1], 1 / kept.speed.ratio_p50_high
    reached = report.sparsity >= LEAST_SPARSE and lost < MOST_LOST and faster > 1.0
    return (
        f"{report.sparsity:.0%} of the parameters gone (to reach {LEAST_SPARSE:.0%}), CER lost at"
        f" most {lost:+.2%} (to reach < {MOST_LOST:.0%}), at least {faster:.2f} x faster:"
        f" {'reached' if reached else 'NOT reached'}"
    )


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
