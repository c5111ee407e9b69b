"""Many headsets on real LSL into one daemon: is anything lost, and is every decode in time.

128 channels, 500 Hz, the reference bundle, a decode each 200 ms, chunks of 20 ms. Every stream has
a reader and a decode thread of its own in the one process. Headsets are switched on at any moment
of a second; then, as the worst case, all at once, so that 32 decodes fall due together.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.command import bench_main
from tests.bench.headset import new_source_id
from tests.bench.processes import Process, daemon, free_endpoint, module
from tests.bench.reference_bundle import write_reference
from tests.bench.subscriber import COLUMNS, STAGES
from tests.bench.tables import spread, spread_table
from tools.host import machine

N_STREAMS = 32
HOP_MS = 200
CHUNK = 10
BUDGET_MS = 100.0
CONNECT_S = 90.0
DRAIN_S = 2.5
"""The last samples are decoded, and a health message counts them."""


def write_config(folder: Path, *, source_id: str, bundle: Path, endpoint: str) -> Path:
    """Write the configuration of a daemon with all streams and return its path."""
    tables = [
        f'[[stream]]\nname = "s{k}"\nlsl = {{ source_id = "{source_id}-{k}" }}\n'
        f'bundle = "{bundle}"\n'
        for k in range(N_STREAMS)
    ]
    path = folder / "eegscribe.toml"
    path.write_text(
        "".join(tables)
        + f"""[publish]
endpoint = "{endpoint}"
every_decode = true
[control]
endpoint = "ipc://{folder}/control"
[journal]
path = "{folder}/journal.sqlite"
[log]
level = "warning"
"""
    )
    return path


def measure(folder: Path, *, seconds: float, in_step: bool) -> dict[str, Any]:
    """Run one daemon with all streams for ``seconds`` of EEG."""
    folder.mkdir()
    out, endpoint, source_id = folder / "rows.npz", free_endpoint(), new_source_id()
    bundle = write_reference(folder, hop_ms=HOP_MS)
    config = write_config(folder, source_id=source_id, bundle=bundle, endpoint=endpoint)
    pusher = module(
        "many_pusher", source_id=source_id, streams=N_STREAMS, chunk=CHUNK, seconds=seconds
    )
    if in_step:
        pusher.append("--in-step")
    with (
        Process(module("subscriber", endpoint=endpoint, out=out), log=folder / "sub.log") as sub,
        Process(pusher, log=folder / "pusher.log") as pushes,
        Process(daemon(config), log=folder / "daemon.log") as speaks,
    ):
        pushes.line(timeout_s=CONNECT_S)
        began_s, used_s = time.monotonic(), speaks.cpu_s()
        pushed = json.loads(pushes.line(timeout_s=seconds * 2 + 30.0))
        cores = (speaks.cpu_s() - used_s) / (time.monotonic() - began_s)
        time.sleep(DRAIN_S)
        resident_mb = speaks.resident_mb()
        speaks.stop()
        pushes.stop()
        sub.stop()
    with np.load(out) as arrays:
        rows = arrays["rows"]
        health = {one["stream"]: one for one in json.loads(arrays["health"].tobytes())}
    counters = [one["counters"] for one in health.values()]
    arrived_s, made_s, total_ms = (
        rows[:, COLUMNS.index(name)] for name in ("arrived_s", "made_s", "total")
    )
    late_ms = total_ms + 1e3 * (arrived_s - made_s)  # a final's own samples lie further back
    return {
        "n_streams": N_STREAMS,
        "in_step": in_step,
        "seconds": seconds,
        "late_ms": spread(late_ms),
        "stage_ms": {name: spread(rows[:, COLUMNS.index(name)]) for name in STAGES},
        "n_told": len(health),
        "pushed_late_ms": pushed["late_ms"],
        "samples_pushed": pushed["n_samples"] * N_STREAMS,
        "samples_received": sum(one["samples_received"] for one in counters),
        "samples_lost": sum(one["samples_lost"] + one["samples_overrun"] for one in counters),
        "windows_skipped": sum(one["windows_skipped"] for one in counters),
        "cores": cores,
        "resident_mb": resident_mb,
    }


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and print."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="eegscribe-bench-") as name:
        for case, in_step in (("apart", False), ("in step", True)):
            seconds = 15.0 if quick else 120.0
            found[case] = measure(Path(name) / case, seconds=seconds, in_step=in_step)
            print(_show(found[case]), end="\n\n", flush=True)
    return {"streams": found}


def _show(found: dict[str, Any]) -> str:
    case = "switched on at once" if found["in_step"] else "switched on at any moment"
    title = f"{found['n_streams']} streams over LSL, {case}, on {machine.n_cores()} cores"
    n_missing = found["samples_pushed"] - found["samples_received"]
    nothing_lost = not (n_missing or found["samples_lost"] or found["windows_skipped"])
    verdict = nothing_lost and found["late_ms"]["p99"] < BUDGET_MS
    return (
        spread_table(
            {
                "message": found["late_ms"],
                "pushed late": found["pushed_late_ms"],
                **found["stage_ms"],
            },
            title=title,
            unit="ms",
        )
        + f"\n{found['samples_pushed']} samples pushed, {n_missing} missing, "
        f"{found['samples_lost']} told as lost, {found['windows_skipped']} windows skipped; "
        f"{found['cores']:.2f} cores, {found['resident_mb']:.0f} MB; "
        f"p99 under {BUDGET_MS:g} ms and nothing lost: {'reached' if verdict else 'NOT reached'}"
    )


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
