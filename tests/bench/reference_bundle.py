"""The model that the figures of latency and load are about, as a bundle.

A causal GRU of three layers of 256, patches of 10 samples, 30 outputs, random weights, carried
state; 128 channels at 500 Hz, filters 0.5-40 Hz of order 4 and one notch; greedy. It reads nothing:
only its cost is real.
"""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from models.bundle import Bundle, write_bundle
from models.golden import GOLDEN, run_windows, write_golden
from models.manifest import Manifest, Provenance
from models.onnx_backend import OnnxModel, open_session
from pipeline.design_band import design
from pipeline.spec import Band, CtcDecoder, PipelineSpec, SlidingWindow

if TYPE_CHECKING:
    from pathlib import Path

N_CHANNELS = 128
RATE_HZ = 500.0
PATCH_SAMPLES = 10
VOCABULARY = ("", *string.ascii_lowercase, " ", "'", ".")
CHANNELS = tuple(f"E{k + 1:03d}" for k in range(N_CHANNELS))
N_GOLDEN = 4


def reference_spec(*, hop_ms: int) -> PipelineSpec:
    """Return the pipeline of the reference model with a decode every ``hop_ms``."""
    hop_samples = round(hop_ms * RATE_HZ / 1000)
    if hop_samples % PATCH_SAMPLES or hop_samples <= 0:
        raise ValueError(f"hop_ms: got {hop_ms}, wanted whole patches of {PATCH_SAMPLES} samples")
    return design(
        PipelineSpec(
            rate_hz=RATE_HZ,
            channels=CHANNELS,
            bands=(Band(low_hz=0.5, high_hz=40.0, order=4, notch_hz=50.0),),
            window=SlidingWindow(window_samples=hop_samples, hop_samples=hop_samples),
            decoder=CtcDecoder(method="greedy"),
            vocabulary=VOCABULARY,
        )
    )


def write_reference(folder: Path, *, hop_ms: int) -> Path:
    """Write the bundle for ``hop_ms`` under ``folder``, unless it is there, and return its path."""
    path = folder / f"reference-{hop_ms}ms"
    if path.exists():
        return path
    from models.export import export_reference  # torch: a second of imports

    exported = export_reference(n_frames=round(hop_ms * RATE_HZ / 1000) // PATCH_SAMPLES)
    manifest = Manifest(
        format_version=1,
        name=path.name,
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        pipeline=reference_spec(hop_ms=hop_ms),
        model=exported.file,
        files={},
        provenance=Provenance(command="tests.bench.reference_bundle"),
    )
    files = {exported.file.path: exported.data}
    model = OnnxModel(open_session(Bundle(manifest, "", files)), exported.file)
    shape = (N_GOLDEN, *exported.file.input.shape[1:])
    windows = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    files[GOLDEN] = write_golden(windows, run_windows(model, windows))
    write_bundle(path, manifest, files)
    return path
