"""From a trained network to a bundle: what the manifest says around the files of the export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from models.bundle import write_bundle
from models.manifest import FORMAT_VERSION, Manifest, Optimisation, Provenance
from models.weights import EARLY, WEIGHTS, pack
from runtime.bundle_language import LANGUAGE_MODEL, LEXICON, WORD_MODEL
from tools.console.command import command, now
from tools.console.version import versions
from tools.recordings.digests import text_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.spec import PipelineSpec
    from tools.training.head import Exports
    from tools.training.recipe import Recipe

PACKAGES = ("numpy", "scipy", "torch", "lightning-fabric", "onnx")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a bundle comes from: ``data`` names each recording or text with its SHA-256.

    ``texts`` are those in the recordings that were learnt from.
    """

    name: str
    data: dict[str, str]
    readme: str
    texts: Sequence[str] = ()


def write_trained(
    path: Path,
    network: Any,
    exports: Exports,
    spec: PipelineSpec,
    *,
    recipe: Recipe,
    origin: Origin,
    arpa: bytes | None,
    lexicon: bytes | None = None,
    early: bytes | None = None,
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
        lexicon: pronunciations of words, of which the model is then.
        early: weights as they were early in the training, for the bundle to keep.

    Raises:
        BundleError: the result would be refused.
    """
    files = dict(exports.files) | {"README.md": origin.readme.encode()}
    network_origin = None
    if recipe.keep_weights:
        network_origin, files[WEIGHTS] = pack(recipe.family, network)
    if early is not None:
        files[EARLY] = early
    if lexicon is not None:
        files[LEXICON] = lexicon
    if arpa is not None:
        files[LANGUAGE_MODEL if lexicon is None else WORD_MODEL] = arpa
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=origin.name,
        created=now(),
        pipeline=spec,
        model=exports.model,
        step=exports.step,
        files={},
        network=network_origin,
        provenance=Provenance(
            command=command(),
            versions=versions(("eegscribe", *PACKAGES)),
            data=origin.data,
            texts=tuple(sorted(set(map(text_digest, origin.texts)))),
            recipe=msgspec.to_builtins(recipe),
        ),
        optimisation=Optimisation(
            size_bytes=sum(len(data) for name, data in files.items() if name.endswith(".onnx"))
        ),
    )
    return write_bundle(path, manifest, files)
