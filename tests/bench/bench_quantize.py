"""What quantizing gains: recurrent networks by width, each beside torch and its own float32 file.

Random weights: only size and time are real here. Every form hears the same samples, one thread, by
turns in blocks; torch runs in inference mode with its state carried; float32 in the runtime is ONNX
Runtime's own fused GRU. To reach: int8 at most 30 % of the whole file and faster than float32 in
the runtime at 384 units or more, and 3 times as fast at five layers of 768 and one frame a call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.export import Exported, export_ctc
from models.families import build
from models.onnx_backend import OnnxModel, open_session
from models.quantization.probe import Files, Probe
from tests.bench.command import bench_main
from tests.bench.tables import table
from tools.compression.eager import EagerHop
from tools.compression.quantizing.files import uniform
from tools.compression.timing import percentiles_ms, ratio, time_blocks
from tools.host import machine

NETWORKS = ((128, 1), (256, 3), (384, 2), (768, 5))
FRAMES = (1, 5)
N_CALIBRATION = 40
REACH_SHARE = 0.30
REACH_RATIO = 1 / 3
MODEL = "model.onnx"


def forms(n_hidden: int, n_layers: int, n_frames: int) -> tuple[dict[str, Any], dict[str, int]]:
    """Return what is timed by name, and the bytes of each file."""
    settings = {
        "n_inputs": 64,
        "n_symbols": 41,
        "n_features": min(256, n_hidden),
        "n_hidden": n_hidden,
        "n_layers": n_layers,
    }
    network = build("gru-ctc", settings)
    exported = export_ctc(network, n_frames=n_frames)
    windows = noise(exported, N_CALIBRATION)
    files: Files = {MODEL: exported.data}
    ranges = Probe(exported.file, None, [windows]).ranges(files)
    found: dict[str, Files] = {
        "float32": files,
        "int8, dynamic": uniform(files, 8, {}, how="").files,
        "int8, static": uniform(files, 8, ranges, how="").files,
        "4 bits, static": uniform(files, 4, ranges, how="").files,
    }
    models: dict[str, Any] = {"float32, torch": EagerHop(network)}
    models |= {name: opened(exported, one) for name, one in found.items()}
    return models, {name: len(one[MODEL]) for name, one in found.items()}


def opened(exported: Exported, files: Files) -> OnnxModel:
    """Return a model as the daemon opens it."""

    class _Manifest:
        model = exported.file

    bundle: Any = Bundle(_Manifest(), "", files)  # type: ignore[arg-type]
    return OnnxModel(open_session(bundle), exported.file)


def noise(exported: Exported, n: int) -> NDArray[np.float32]:
    """Return windows (n, n_samples, n_inputs) of unit variance."""
    shape = (n, *exported.file.input.shape[1:])
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def measure(n_hidden: int, n_layers: int, n_frames: int, *, quick: bool) -> dict[str, Any]:
    """Return the figures of one network; print its table."""
    import torch

    torch.set_num_threads(1)
    models, sizes = forms(n_hidden, n_layers, n_frames)
    model: OnnxModel = models["float32"]
    windows = np.random.default_rng(1).standard_normal((200, *model._input.shape[1:]))
    n_blocks, n_windows = (4, 50) if quick else (20, 200)
    taken = time_blocks(models, windows.astype(np.float32), n_blocks=n_blocks, n_windows=n_windows)
    found: dict[str, Any] = {}
    for name, times in taken.items():
        against = ratio(times, taken["float32"])
        size = sizes.get(name)
        found[name] = {
            "bytes": size,
            "share": None if size is None else size / sizes["float32"],
            **percentiles_ms(times),
            "ratio_p50": against.p50,
            "ratio_p50_high": against.p50_high,
            "ratio_p99": against.p99,
            "ratio_p99_high": against.p99_high,
        }
    header = (f"{n_layers} x {n_hidden}, {n_frames} a call", *next(iter(found.values())))
    print(table([[name, *row.values()] for name, row in found.items()], header=header))
    print(_said(found["int8, static"], n_hidden, n_layers, n_frames), end="\n\n", flush=True)
    return found


def _said(row: dict[str, Any], n_hidden: int, n_layers: int, n_frames: int) -> str:
    """Return whether int8 reached what it is to reach."""
    is_faster = row["ratio_p99_high"] < 1.0
    said = f"int8: {row['share']:.1%} of the file; faster than float32: {_yes(is_faster)}"
    if n_hidden >= 384:
        said += f"; at most {REACH_SHARE:.0%} of the file: {_yes(row['share'] <= REACH_SHARE)}"
    if (n_hidden, n_layers, n_frames) == (768, 5, 1):
        said += f"; 3 times as fast: {_yes(row['ratio_p50_high'] <= REACH_RATIO)}"
    return said


def _yes(is_so: bool) -> str:  # noqa: FBT001 - a word for a figure
    return "yes" if is_so else "NO"


def run(*, quick: bool) -> dict[str, Any]:
    """Measure; print it."""
    networks = NETWORKS[:3] if quick else NETWORKS
    found = {
        f"{n_layers}x{n_hidden}, {n_frames} frames": measure(
            n_hidden, n_layers, n_frames, quick=quick
        )
        for n_hidden, n_layers in networks
        for n_frames in FRAMES
    }
    print(f"load {machine.load()}", end="\n\n")
    return found


if __name__ == "__main__":
    bench_main(run)
