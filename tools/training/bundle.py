"""From a trained network to a bundle: what the manifest says around the files of the export."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from models.bundle import write_bundle
from models.manifest import FORMAT_VERSION, Evaluation, Manifest, Optimisation, Provenance
from models.weights import WEIGHTS, pack
from pipeline.design_band import design
from pipeline.spec import Band, CtcDecoder, Normalise, PipelineSpec, SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.network import CtcNetwork
    from tools.training.head import Exports
    from tools.training.recipe import Recipe

PACKAGES = ("numpy", "scipy", "torch", "onnx")

LANGUAGE_MODEL = "lm.arpa"


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


def write_trained(
    path: Path,
    network: CtcNetwork,
    exports: Exports,
    spec: PipelineSpec,
    *,
    recipe: Recipe,
    origin: Origin,
    arpa: bytes | None,
) -> str:
    """Write the bundle and return its digest.

    Args:
        path: folder or ``.eegb`` file.
        network: trained; its weights go into the bundle where the recipe keeps them.
        exports: the same network as files.
        spec: designed, with the decoder's defaults.
        recipe: by which it was trained.
        origin: for the manifest.
        arpa: the language model's file, None for none.

    Raises:
        BundleError: the result would be refused.
    """
    files = dict(exports.files) | {"README.md": origin.readme.encode()}
    network_origin = None
    if recipe.keep_weights:
        network_origin, files[WEIGHTS] = pack(recipe.family, network)
    if arpa is not None:
        files[LANGUAGE_MODEL] = arpa
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=origin.name,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        pipeline=spec,
        model=exports.model,
        step=exports.step,
        files={},
        network=network_origin,
        provenance=Provenance(
            command=shlex.join(["eegscribe", *sys.argv[1:]]),
            versions={name: version(name) for name in ("eegscribe", *PACKAGES)},
            data=origin.data,
            recipe=msgspec.to_builtins(recipe),
        ),
        evaluation=Evaluation(scores=origin.scores),
        optimisation=Optimisation(
            size_bytes=sum(len(data) for name, data in files.items() if name.endswith(".onnx"))
        ),
    )
    return write_bundle(path, manifest, files)
