"""From a trained network to a bundle: the pipeline around it, the export, the golden vectors."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from models.bundle import write_bundle
from models.export import export_ctc, run_calls
from models.golden import GOLDEN, write_golden
from models.manifest import FORMAT_VERSION, Evaluation, Manifest, Optimisation, Provenance
from pipeline.design_band import design
from pipeline.filters import FilterChain
from pipeline.spec import Band, CtcDecoder, Normalise, PipelineSpec, SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.network import CtcNetwork
    from pipeline.values import Samples

PACKAGES = ("numpy", "scipy", "torch", "onnx")

GOLDEN_CALLS = 25


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a bundle comes from: ``data`` names each recording or text with its SHA-256."""

    name: str
    data: dict[str, str]
    readme: str
    scores: dict[str, Any] = field(default_factory=dict)


def ctc_spec(
    *,
    rate_hz: float,
    channels: Sequence[str],
    vocabulary: Sequence[str],
    hop_samples: int,
    notch_hz: float,
    decoder: CtcDecoder,
) -> PipelineSpec:
    """Return the pipeline of a character network: 6-32 Hz, each channel scaled as it goes."""
    band = Band(low_hz=6.0, high_hz=32.0, order=3, notch_hz=notch_hz)
    return design(
        PipelineSpec(
            rate_hz=rate_hz,
            channels=tuple(channels),
            bands=(band,),
            normalise=Normalise(
                kind="running", time_constant_s=5.0, initial_scale_uv=5.0, clip=8.0
            ),
            window=SlidingWindow(window_samples=hop_samples, hop_samples=hop_samples),
            decoder=decoder,
            vocabulary=tuple(vocabulary),
        )
    )


def write_ctc_bundle(
    path: Path,
    network: CtcNetwork,
    spec: PipelineSpec,
    *,
    origin: Origin,
    example: Samples,
    arpa: bytes | None,
) -> str:
    """Write the bundle and return its digest.

    Args:
        path: folder or ``.eegb`` file.
        network: trained; its frames divide the hop.
        spec: designed, with the decoder's defaults.
        origin: for the manifest.
        example: raw ``(n_samples, n_channels)`` µV from which the golden vectors are made.
        arpa: the language model's file, None for none.

    Raises:
        ExportError: the exported model does not compute what the network computes.
        BundleError: the result would be refused.
    """
    if not isinstance(spec.window, SlidingWindow):
        raise TypeError("spec.window: wanted a sliding window")
    n_samples = spec.window.hop_samples
    exported = export_ctc(network, n_frames=n_samples // network.settings.patch_samples)
    filtered = FilterChain(spec).push(example)
    windows = filtered[: GOLDEN_CALLS * n_samples]
    windows = windows[: len(windows) // n_samples * n_samples]
    outputs = run_calls(exported, windows).reshape(-1, *exported.file.output.shape[1:])
    files = {
        "model.onnx": exported.data,
        GOLDEN: write_golden(windows.reshape(-1, n_samples, windows.shape[1]), outputs),
        "README.md": origin.readme.encode(),
    }
    if arpa is not None:
        files["lm.arpa"] = arpa
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=origin.name,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        pipeline=spec,
        model=exported.file,
        files={},
        provenance=Provenance(
            command=shlex.join(["eegscribe", *sys.argv[1:]]),
            versions={name: version(name) for name in ("eegscribe", *PACKAGES)},
            data=origin.data,
        ),
        evaluation=Evaluation(scores=origin.scores),
        optimisation=Optimisation(size_bytes=len(exported.data)),
    )
    return write_bundle(path, manifest, files)
