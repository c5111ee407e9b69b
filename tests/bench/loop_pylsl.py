"""The plain loop that many labs run: pull a chunk, call the model, take the time.

Writes ``FILE.npy``, a row per decode: stamp of the window's last sample, time when the output was
ready, seconds in the model. Prints ``first`` after the first decode. No filters, no wire.

    python -m tests.bench.loop_pylsl --source-id S --model M.onnx --seconds 60 --out FILE.npy
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

import numpy as np
import onnxruntime
from pylsl import StreamInlet, local_clock, resolve_byprop


def open_model(path: Path) -> tuple[onnxruntime.InferenceSession, dict[str, np.ndarray]]:
    """Return a session of one thread, and its inputs at the start."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session, {i.name: np.zeros(i.shape, dtype=np.float32) for i in session.get_inputs()}


def loop(
    inlet: StreamInlet,
    session: onnxruntime.InferenceSession,
    inputs: dict[str, np.ndarray],
    seconds: float,
) -> list[tuple[float, float, float]]:
    """Decode every window for ``seconds``; return the rows."""
    window = inputs["samples"]
    n_samples = window.shape[1]
    states = [name for name in inputs if name != "samples"]
    rows: list[tuple[float, float, float]] = []
    until_s = local_clock() + seconds
    while local_clock() < until_s:
        _, stamps = inlet.pull_chunk(timeout=5.0, max_samples=n_samples, dest_obj=window)
        if len(stamps) < n_samples:
            raise SystemExit("the stream went silent")
        began_s = local_clock()
        _, *following = session.run(None, inputs)
        ready_s = local_clock()
        inputs.update(zip(states, following, strict=True))
        rows.append((stamps[-1], ready_s, ready_s - began_s))
        if len(rows) == 1:
            print("first", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source-id", required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    session, inputs = open_model(options.model)
    for _ in range(20):
        session.run(None, inputs)
    found = resolve_byprop("source_id", options.source_id, minimum=1, timeout=10.0)
    if not found:
        raise SystemExit(f"no stream with source_id {options.source_id}")
    inlet = StreamInlet(found[0], max_buflen=30, recover=False)
    inlet.open_stream(timeout=10.0)
    gc.disable()
    rows = loop(inlet, session, inputs, options.seconds)
    inlet.close_stream()
    np.save(options.out, np.array(rows))


if __name__ == "__main__":
    main()
