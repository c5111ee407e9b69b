"""A recording at full speed through ``eegscribe replay``, and many at their own pace at once.

128 channels, 500 Hz, the reference bundle, every decode told. ``realtime_factor`` is the verb's
own: it leaves out starting Python and reading the file, which ``whole process`` has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.command import bench_main
from tests.bench.processes import ENVIRONMENT, REPO, Process, module
from tests.bench.recordings import write_reference_recording
from tests.bench.reference_bundle import RATE_HZ, write_reference
from tests.bench.tables import spread, spread_table, table
from tools.host import machine

REACH = {20: 80.0, 200: 200.0}
N_STREAMS = 128
STREAM_HOP_MS = 200
BUDGET_MS = 100.0
WAYS = {
    "every decode, as JSON": ("--every-decode", "--json"),
    "changes only, as JSON": ("--json",),
}


def replay(recording: Path, bundle: Path, flags: tuple[str, ...]) -> tuple[dict[str, Any], float]:
    """Run the verb; return its summary and the seconds of the whole process."""
    eegscribe = str(Path(sys.executable).with_name("eegscribe"))
    command = [eegscribe, "replay", str(recording), "--bundle", str(bundle), *flags]
    began_s = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=REPO,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    whole_s = time.perf_counter() - began_s
    if done.returncode:
        raise RuntimeError(f"replay: exit code {done.returncode}: {done.stderr[-500:]}")
    return json.loads(done.stdout.splitlines()[-1]), whole_s


def full_speed(folder: Path, *, seconds: float, n_runs: int) -> list[dict[str, Any]]:
    """Return how many times real time each hop and way of telling reaches: the median of runs."""
    recording = write_reference_recording(folder / "long.xdf", seconds=seconds)
    rows = []
    for hop_ms, reach in REACH.items():
        bundle = write_reference(folder, hop_ms=hop_ms)
        for way, flags in WAYS.items():
            runs = [replay(recording, bundle, flags) for _ in range(n_runs)]
            factors = [summary["realtime_factor"] for summary, _ in runs]
            stages = runs[0][0]["latency_ms"]
            rows.append(
                {
                    "hop_ms": hop_ms,
                    "way": way,
                    "reach": reach,
                    "realtime_factor": float(np.median(factors)),
                    "least": min(factors),
                    "most": max(factors),
                    "whole_process": seconds / float(np.median([whole_s for _, whole_s in runs])),
                    "stage_p50_ms": {name: spread_["p50"] for name, spread_ in stages.items()},
                }
            )
    return rows


def streams(folder: Path, *, seconds: float) -> dict[str, Any]:
    """Return how ``N_STREAMS`` recordings fare at their own pace on all cores."""
    recording = write_reference_recording(folder / "short.xdf", seconds=10.0)
    bundle = write_reference(folder, hop_ms=STREAM_HOP_MS)
    n_workers = machine.n_cores()
    shares = [N_STREAMS // n_workers + (n < N_STREAMS % n_workers) for n in range(n_workers)]
    outs = [folder / f"worker{n}.npz" for n in range(n_workers)]
    with ExitStack() as stack:
        workers = []
        for n, (share, out) in enumerate(zip(shares, outs, strict=True)):
            command = module(
                "stream_worker",
                recording=recording,
                bundle=bundle,
                streams=share,
                seconds=seconds,
                seed=n,
                out=out,
            )
            worker = Process(command, log=folder / f"worker{n}.log")
            workers.append(stack.enter_context(worker))
        for worker in workers:
            worker.wait(timeout_s=seconds * 3 + 60.0)
    found = [dict(np.load(out)) for out in outs]
    n_samples = np.concatenate([one["n_samples"] for one in found])
    return {
        "n_streams": N_STREAMS,
        "seconds": seconds,
        "late_ms": spread(np.concatenate([one["late_ms"] for one in found])),
        "samples_lost": int(round(seconds * RATE_HZ) * N_STREAMS - n_samples.sum()),
        "decodes": int(sum(one["n_decoded"].sum() for one in found)),
        "cpu_share": float(sum(one["cpu_s"] for one in found) / seconds),
    }


def run(*, quick: bool) -> dict[str, Any]:
    """Measure both; print them."""
    with tempfile.TemporaryDirectory(prefix="eegscribe-bench-") as name:
        folder = Path(name)
        rows = full_speed(folder, seconds=60.0 if quick else 300.0, n_runs=1 if quick else 5)
        print(_show_speed(rows), end="\n\n", flush=True)
        many = streams(folder, seconds=8.0 if quick else 60.0)
        print(_show_streams(many), end="\n\n", flush=True)
    return {"full_speed": rows, "streams": many}


def _show_speed(rows: list[dict[str, Any]]) -> str:
    cells = [
        (
            f"hop {row['hop_ms']} ms, {row['way']}",
            row["realtime_factor"],
            row["least"],
            row["most"],
            row["whole_process"],
            row["reach"],
        )
        for row in rows
    ]
    header = ("replay (times real time)", "median", "least", "most", "whole process", "reach")
    return table(cells, header=header)


def _show_streams(many: dict[str, Any]) -> str:
    title = f"{many['n_streams']} streams, a decode each {STREAM_HOP_MS} ms: sample due to message"
    verdict = many["late_ms"]["p99"] < BUDGET_MS and not many["samples_lost"]
    return (
        spread_table({"from recordings": many["late_ms"]}, title=title, unit="ms")
        + f"\n{many['decodes']} decodes, {many['samples_lost']} samples lost, "
        f"{many['cpu_share']:.2f} cores used; p99 under {BUDGET_MS:g} ms and nothing lost: "
        f"{'reached' if verdict else 'NOT reached'}"
    )


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
