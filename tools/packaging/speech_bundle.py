"""A bundle around a speech network: features at 50 Hz in, words of a lexicon out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from models.bundle import write_bundle
from models.manifest import FORMAT_VERSION, Manifest, Optimisation, Provenance
from models.weights import WEIGHTS, pack
from pipeline.design_band import design
from pipeline.errors import UsageError
from pipeline.lexicon import read_lexicon
from pipeline.spec import Band, CtcDecoder, Normalise, PipelineSpec, SlidingWindow
from runtime.bundle_language import LEXICON, WORD_MODEL
from tools.console.command import command, now
from tools.console.version import versions
from tools.language.pronunciation import VOCABULARY
from tools.training.bundle import PACKAGES
from tools.training.ctc_head import CtcHead

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from models.speech_gru import SpeechGru

RATE_HZ = 50.0
GOLDEN_S = 4.0

DECODER = CtcDecoder(
    method="lexicon", beam=64, lm_weight=0.5, length_bonus=-1.0, lm_floor=-25.0, stability_s=1.0
)
"""Weights that simulated phonemes were read best with; real ones want their own."""

NORMALISE = Normalise(
    kind="running", time_constant_s=60.0, initial_scale_uv=1.0, floor_uv=1e-3, clip=10.0
)

README = """# Speech from features

A network of the published speech neuroprostheses (Willett et al. 2023, Card et al. 2024) for one
recording day, with a pronunciation lexicon. It reads features at 50 Hz that are no EEG: they pass
unfiltered, each normalised as it goes.
"""


def speech_spec(channels: Sequence[str], *, patch_samples: int) -> PipelineSpec:
    """Return the pipeline: nothing filtered, a decode a patch, words from phonemes."""
    return design(
        PipelineSpec(
            rate_hz=RATE_HZ,
            channels=tuple(channels),
            bands=(Band(low_hz=None, high_hz=None),),
            normalise=NORMALISE,
            window=SlidingWindow(window_samples=patch_samples, hop_samples=patch_samples),
            decoder=DECODER,
            vocabulary=VOCABULARY,
        )
    )


def write_speech_bundle(
    path: Path,
    network: SpeechGru,
    *,
    channels: Sequence[str],
    lexicon: bytes,
    arpa: bytes | None,
    data: Mapping[str, str],
) -> str:
    """Write the bundle and return its digest.

    Args:
        path: folder or ``.eegb`` file.
        network: to be exported for its day.
        channels: names of the features, in order.
        lexicon: ``lexicon.txt``, words in phonemes.
        arpa: the word model, None for none.
        data: names of what it was made from, with their SHA-256.

    Raises:
        UsageError: the network has other inputs or outputs than channels and phonemes.
        BundleError: lexicon or word model are not what they should be.
        ExportError: the exported model does not compute what the network computes.
    """
    settings = network.settings
    for what, got, wanted in (
        ("outputs", settings.n_symbols, len(VOCABULARY)),
        ("inputs", settings.n_inputs, len(channels)),
    ):
        if got != wanted:
            raise UsageError(f"network: {got} {what}, wanted {wanted}")
    read_lexicon(lexicon.decode().splitlines(), vocabulary=VOCABULARY, where=LEXICON)
    spec = speech_spec(channels, patch_samples=settings.patch_samples)
    if arpa is None:
        spec = msgspec.structs.replace(
            spec, decoder=msgspec.structs.replace(DECODER, lm_weight=0.0, length_bonus=0.0)
        )
    shape = (round(GOLDEN_S * RATE_HZ), len(channels))
    example = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    exports = CtcHead().export(network, spec, example)
    origin, weights = pack("speech-gru", network)
    files = {**exports.files, "README.md": README.encode(), WEIGHTS: weights, LEXICON: lexicon}
    if arpa is not None:
        files[WORD_MODEL] = arpa
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        name=path.stem,
        created=now(),
        pipeline=spec,
        model=exports.model,
        files={},
        network=origin,
        provenance=Provenance(
            command=command(),
            versions=versions(("eegscribe", *PACKAGES)),
            data=dict(data),
        ),
        optimisation=Optimisation(size_bytes=len(exports.files[exports.model.path])),
    )
    return write_bundle(path, manifest, files)
