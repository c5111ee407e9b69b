"""From a sample's push into LSL to its message at a subscriber, between real processes.

Three systems take turns on one pushed stream, in blocks of a minute: our daemon with a ZeroMQ
subscriber, a plain pylsl loop, and an MNE-LSL ``StreamLSL`` loop, all with the same model. Latency
is the time at the far end, less the clock just before the push of the newest sample used, less the
model's own time. The peers stop when the model's output is ready: they have no filters, windows,
decoder, journal or wire.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.command import bench_main
from tests.bench.headset import START_S, PushedStream, pushing
from tests.bench.latency_blocks import Block, run_daemon, run_peer
from tests.bench.peers import peer_versions, peers_python
from tests.bench.tables import spread, spread_table, table
from tools.host import machine

OURS, PLAIN, MNE_LSL = "eegscribe", "pylsl loop", "MNE-LSL loop"
SYSTEMS = (OURS, PLAIN, MNE_LSL)
TARGETS_MS = {"p50": 0.8, "p99": 2.0, "p99.9": 5.0}
BUDGET_MS = 100.0
STAGES = ("transport", "queue", "filter", "model", "decode", "publish", "wire", "whole")


@dataclass(frozen=True)
class Case:
    """How often is decoded, how the headset pushes, and for how long each system is looked at."""

    name: str
    hop_ms: int
    chunk: int
    n_rounds: int
    block_s: float


FULL = (
    Case("a decode every 20 ms, pushed in chunks of 20 ms", 20, 10, 5, 64.0),
    Case("a decode every 200 ms, pushed in chunks of 20 ms", 200, 10, 5, 64.0),
    Case("a decode every 20 ms, pushed sample by sample", 20, 1, 2, 64.0),
)
QUICK = tuple(Case(case.name, case.hop_ms, case.chunk, 1, 15.0) for case in FULL)


def run_block(case: Case, pushed: PushedStream, folder: Path, *, system: str) -> Block:
    """Run one system for one block."""
    folder.mkdir()
    if system == OURS:
        return run_daemon(pushed, folder, hop_ms=case.hop_ms, seconds=case.block_s)
    return run_peer(
        pushed, folder, hop_ms=case.hop_ms, seconds=case.block_s, mne_lsl=system == MNE_LSL
    )


def run_case(case: Case, folder: Path, systems: tuple[str, ...]) -> dict[str, Any]:
    """Run all rounds of a case, the systems in turn, and return its figures."""
    blocks: dict[str, list[Block]] = {system: [] for system in systems}
    seconds = case.n_rounds * len(systems) * (case.block_s + START_S)
    with pushing(folder, chunk=case.chunk, seconds=seconds) as pushed:
        for n_round in range(case.n_rounds):
            for n, system in enumerate(systems):
                place = folder / f"{n_round}-{n}"
                blocks[system].append(run_block(case, pushed, place, system=system))
        late = spread(pushed.late_ms())
    return {
        "case": {"hop_ms": case.hop_ms, "chunk": case.chunk, "rounds": case.n_rounds},
        "less_model_ms": {s: _joined(found, "less_model") for s, found in blocks.items()},
        "model_ms": {s: _joined(found, "model") for s, found in blocks.items()},
        "cpu_share": {s: float(np.mean([b.cpu_share for b in f])) for s, f in blocks.items()},
        "foreign_cpu": {s: float(np.mean([b.foreign_share for b in f])) for s, f in blocks.items()},
        "push_late_ms": late,
        "load": machine.load(),
        **_ours(blocks.get(OURS, [])),
    }


def _joined(blocks: list[Block], name: str) -> dict[str, Any]:
    return spread(np.concatenate([getattr(block, name) for block in blocks]))


def _ours(blocks: list[Block]) -> dict[str, Any]:
    """Return what only the daemon tells of itself."""
    if not blocks:
        return {}
    whole = np.concatenate([b.stages["whole"] for b in blocks])
    return {
        "stages_ms": {s: spread(np.concatenate([b.stages[s] for b in blocks])) for s in STAGES},
        "over_budget": int(np.count_nonzero(whole > BUDGET_MS)),
        "finals_less_model_ms": _joined(blocks, "finals"),
        "notes": [block.notes for block in blocks],
    }


def show_case(name: str, figures: dict[str, Any]) -> str:
    """Return a case's tables."""
    reach: dict[str, dict[str, Any]] = {"reach": dict(TARGETS_MS)}
    rows = reach | figures["less_model_ms"]
    parts = [name, spread_table(rows, title="push to message, less the model", unit="ms")]
    if "stages_ms" in figures:
        stages = figures["stages_ms"] | {"finals, less model": figures["finals_less_model_ms"]}
        parts.append(spread_table(stages, title="ours: where it goes", unit="ms"))
        got = figures["less_model_ms"][OURS]
        verdict = (
            f"{mark} {'reached' if got[mark] <= limit else 'NOT reached'}"
            for mark, limit in TARGETS_MS.items()
        )
        parts.append(f"{', '.join(verdict)}; {figures['over_budget']} over {BUDGET_MS:g} ms")
    shares = [
        (s, 100 * own, 100 * figures["foreign_cpu"][s], figures["model_ms"][s]["p50"])
        for s, own in figures["cpu_share"].items()
    ]
    header = ("processor", "% of a core", "% others", "model p50 (ms)")
    parts.append(table(shares, header=header))
    late = figures["push_late_ms"]
    parts.append(
        f"pushes were late by {late['p50']:.3f} ms (p50), {late['p99']:.3f} (p99),"
        f" {late['p99.9']:.3f} (p99.9); load {figures['load']}"
    )
    return "\n\n".join(parts)


def run(
    *,
    quick: bool,
    cases: tuple[Case, ...] | None = None,
    systems: tuple[str, ...] = SYSTEMS,
) -> dict[str, Any]:
    """Measure every case; print each as it is done."""
    results: dict[str, Any] = {}
    if MNE_LSL in systems:
        results["peers"] = peer_versions(peers_python())
        print(f"peers      {results['peers']}", end="\n\n", flush=True)
    for case in cases or (QUICK if quick else FULL):
        with tempfile.TemporaryDirectory(prefix="eegscribe-bench-") as folder:
            results[case.name] = run_case(case, Path(folder), systems)
        print(show_case(case.name, results[case.name]), end="\n\n", flush=True)
    return results


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
