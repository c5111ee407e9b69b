"""What a decode costs when there is more and more past to know: state carried, or all done again.

The networks that stream, 16 channels at 250 Hz, a frame each 80 ms, in ONNX Runtime on one thread.
*Carried* is one frame a call, however long the stream has been running; *again* is the same network
over the newest seconds at each hop, from an empty past, as a network without state has to be run.
Random weights: they cost what trained ones do. Before anything is timed the conformer's two ways
must agree, where the window is longer than it can see; a GRU's do not, as it forgets nothing.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.export import export_ctc
from models.families import build
from models.onnx_backend import OnnxModel
from tests.bench.command import bench_main
from tests.bench.tables import spread, table

PATCH_SAMPLES = 20
HOP_S = 0.08
N_INPUTS = 16
SHAPE = {
    "n_inputs": N_INPUTS,
    "n_symbols": 32,
    "patch_samples": PATCH_SAMPLES,
    "kernel_samples": 4 * PATCH_SAMPLES,
    "n_features": 128,
}
NETWORKS: dict[str, dict[str, Any]] = {
    "gru-ctc": {"features": "power", "n_hidden": 192, "n_layers": 1},
    "conformer-ctc": {"n_width": 128, "n_blocks": 2, "n_context": 24, "kernel_frames": 7},
}
CONTEXTS_S = (1, 2, 4, 8, 16, 32)
SEEN_S = 6
"""The conformer's newest frame knows at most 2 blocks of 24 + 6 frames, and its wavelets."""

LEFT_CONTEXTS = (12, 24, 48, 96)
N_AROUND = 200
"""Frames whose cost stands for a stream of a given age."""

Patches = NDArray[np.float32]


def open_model(family: str, *, n_frames: int, **changes: int) -> OnnxModel:
    """Return a network as the daemon runs it, ``n_frames`` a call, from an empty past."""
    network = build(family, {**SHAPE, **NETWORKS[family], **changes})
    exported = export_ctc(network, n_frames=n_frames)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        exported.data, options, providers=["CPUExecutionProvider"]
    )
    return OnnxModel(session, exported.file)


def noise(n_frames: int) -> Patches:
    """Return the newest ``n_frames`` of one recording, (n_frames, PATCH_SAMPLES, N_INPUTS)."""
    shape = (round(CONTEXTS_S[-1] / HOP_S), PATCH_SAMPLES, N_INPUTS)
    patches = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return patches[len(patches) - n_frames :]


def timed_us(model: OnnxModel, window: Patches) -> float:
    """Return the microseconds of one call."""
    began_ns = time.perf_counter_ns()
    model.run(window)
    return (time.perf_counter_ns() - began_ns) / 1e3


def carried_us(family: str, *, n_frames: int, **changes: int) -> list[float]:
    """Return the microseconds of each of the first ``n_frames`` of a stream."""
    model = open_model(family, n_frames=1, **changes)
    patches = noise(round(CONTEXTS_S[-1] / HOP_S))
    return [timed_us(model, patches[k % len(patches)]) for k in range(n_frames)]


def again_us(family: str, *, context_s: int, n_calls: int) -> list[float]:
    """Return the microseconds of a hop that does the newest ``context_s`` again."""
    n_frames = round(context_s / HOP_S)
    model = open_model(family, n_frames=n_frames)
    window = noise(n_frames).reshape(-1, N_INPUTS)
    newest = model.run(window)[-1].copy()
    if family == "conformer-ctc" and context_s > SEEN_S:
        check_equal(family, newest)
    return [timed_us(model, window) for _ in range(n_calls)]


def check_equal(family: str, newest: NDArray[np.float32]) -> None:
    """Refuse to compare ways that do not find the same newest frame."""
    model = open_model(family, n_frames=1)
    for patch in noise(round(CONTEXTS_S[-1] / HOP_S)):
        carried = model.run(patch)[-1].copy()
    if not np.allclose(newest, carried, atol=1e-4):
        raise RuntimeError(f"{family}: a window of all it can see differs from the carried state")


def run(*, quick: bool) -> dict[str, Any]:
    """Measure by the age of the stream, by the window done again, by the attention's reach."""
    contexts_s = CONTEXTS_S[:4] if quick else CONTEXTS_S
    found: dict[str, dict[str, Any]] = {}
    rows = []
    for family in NETWORKS:
        ages = [round(s / HOP_S) for s in contexts_s]
        carried = carried_us(family, n_frames=ages[-1] + N_AROUND)
        for context_s, age in zip(contexts_s, ages, strict=True):
            state = spread(carried[age : age + N_AROUND])
            again = spread(again_us(family, context_s=context_s, n_calls=30 if quick else N_AROUND))
            found[f"{family}, {context_s} s"] = {"carried": state, "again": again}
            columns = [state["p50"], state["p99"], again["p50"], again["p99"]]
            rows.append([f"{family}, {context_s} s", *columns])
    header = ("a hop (µs), past of", "carried p50", "p99", "again p50", "p99")
    print(table(rows, header=header), end="\n\n", flush=True)
    reaches = {
        str(n): spread(carried_us("conformer-ctc", n_frames=2 * N_AROUND, n_context=n)[N_AROUND:])
        for n in LEFT_CONTEXTS
    }
    rows = [[n, row["p50"], row["p99"]] for n, row in reaches.items()]
    print(table(rows, header=("conformer, frames attended to (µs)", "p50", "p99")), end="\n\n")
    return {"past_us": found, "conformer_reach_us": reaches}


if __name__ == "__main__":
    bench_main(run)
