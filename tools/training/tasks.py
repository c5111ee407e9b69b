"""What ``eegscribe train`` can be asked to learn: the simulated person, or recordings with text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.gru_ctc import GruCtcSettings
from pipeline.errors import RecordingError
from pipeline.spec import CtcDecoder
from runtime.paradigm import ALPHABET, CHANNELS
from runtime.synthesis import SynthesisSettings, synthesise
from tools.training.bundle import ctc_spec
from tools.training.examples import RecordedExamples, SimulatedExamples, cut_examples, held_out
from tools.training.labelled_text import read_text_recording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples
    from tools.training.evaluation import HeldOut
    from tools.training.examples import Examples

CORPUS = Path(__file__).parent.parent / "data" / "everyday_train.txt"
UNSEEN = CORPUS.with_name("everyday_test.txt")

HELD_OUT_SEED = 3_000_000
"""Seed of the first session that only scoring hears."""

HOP_S = 0.08
"""A decode every so often; one frame a hop."""

LM_ORDER = 6
LM_PRUNE = 0.5

WITH_LM = CtcDecoder(beam=16, lm_weight=0.5, length_bonus=1.5)
WITHOUT_LM = CtcDecoder(beam=16)

SIMULATED_README = """# A demonstration, trained on simulated EEG

Nobody's brain was involved. The network knows one simulated person (`eegscribe simulate`) and reads
nothing from anybody else.
"""

RECORDED_README = """# A network trained on labelled recordings

It knows the person, the montage and the amplifier it was trained on. What it is worth on anything
else is for `eegscribe evaluate` to say.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be learnt, and all that a bundle needs beside the network.

    ``data`` names recordings and texts with their SHA-256, ``example`` is raw µV for the golden
    vectors, ``arpa`` the language model's file, ``held_out`` what is never trained on.
    """

    hop_samples: int
    spec: PipelineSpec
    examples: Examples
    data: dict[str, str]
    example: Samples
    arpa: bytes | None
    readme: str
    held_out: list[HeldOut]


def simulated_task(
    *, snr_db: float, line_hz: float, n_batch: int, seed: int, arpa: bytes | None
) -> Task:
    """Return sessions made as they are needed, half of their text from the corpus that ships.

    A language model of that corpus is made where ``arpa`` is None.
    """
    from tools.language_model import arpa_lines, train

    settings = SynthesisSettings(snr_db=snr_db, line_hz=line_hz)
    hop_samples = round(HOP_S * settings.rate_hz)
    spec = ctc_spec(
        rate_hz=settings.rate_hz,
        channels=CHANNELS,
        vocabulary=("", *ALPHABET),
        hop_samples=hop_samples,
        notch_hz=line_hz,
        decoder=WITH_LM,
    )
    corpus = CORPUS.read_bytes()
    phrases = tuple(corpus.decode().splitlines())
    examples = SimulatedExamples(spec, phrases, settings, hop_samples, n_batch=n_batch, seed=seed)
    if arpa is None:
        text = [*phrases, *joined_pairs(phrases)]
        arpa = "".join(arpa_lines(train(text, order=LM_ORDER, prune=LM_PRUNE))).encode()
    return Task(
        hop_samples=hop_samples,
        spec=spec,
        examples=examples,
        data={CORPUS.name: _digest(corpus), "simulated": repr(examples.settings)},
        example=synthesise("golden", seed=0, settings=settings).samples,
        arpa=arpa,
        readme=SIMULATED_README,
        held_out=_unseen_sessions(settings),
    )


def _unseen_sessions(settings: SynthesisSettings) -> list[HeldOut]:
    """Return a session of every unseen phrase."""
    return [
        (text, synthesise(text, seed=HELD_OUT_SEED + number, settings=settings).samples)
        for number, text in enumerate(UNSEEN.read_text("utf-8").splitlines())
    ]


def joined_pairs(phrases: Sequence[str]) -> list[str]:
    """Return phrases two by two, so that a model learns what follows a full stop."""
    order = np.random.default_rng(0).permutation(len(phrases))
    stopped = [p if p[-1] in ".?" else f"{p}." for p in phrases]
    return [
        f"{stopped[one]} {phrases[other]}"
        for one, other in zip(order[::2], order[1::2], strict=False)
    ]


def recorded_task(
    paths: Sequence[Path], *, line_hz: float, n_batch: int, seed: int, arpa: bytes | None
) -> Task:
    """Return the spans of text in recordings.

    Raises:
        RecordingError: one cannot be used, or they differ in rate or channels.
    """
    from runtime.recording import RecordingSource  # readers of every format: not for simulation

    recordings = [read_text_recording(RecordingSource(path), name=str(path)) for path in paths]
    first = recordings[0]
    for other in recordings[1:]:
        if (other.rate_hz, other.channels) != (first.rate_hz, first.channels):
            raise RecordingError(
                f"{other.name}: {len(other.channels)} channels at {other.rate_hz:g} Hz, wanted the "
                f"{len(first.channels)} channels at {first.rate_hz:g} Hz of {first.name}"
            )
    symbols = sorted({symbol for r in recordings for span in r.spans for symbol in span.text})
    if not symbols:
        raise RecordingError(f"{first.name}: no text: markers in it, wanted labelled text")
    hop_samples = round(HOP_S * first.rate_hz)
    spec = ctc_spec(
        rate_hz=first.rate_hz,
        channels=first.channels,
        vocabulary=("", *symbols),
        hop_samples=hop_samples,
        notch_hz=line_hz,
        decoder=WITH_LM if arpa else WITHOUT_LM,
    )
    examples = [e for recording in recordings for e in cut_examples(recording, spec)]
    noise = np.random.default_rng(0).standard_normal((2000, len(first.channels)))
    return Task(
        hop_samples=hop_samples,
        spec=spec,
        examples=RecordedExamples(
            examples,
            patch_samples=hop_samples,
            n_batch=n_batch,
            seed=seed,
        ),
        data={path.name: _digest(path.read_bytes()) for path in paths},
        example=np.cumsum(noise, axis=0).astype(np.float32),  # nobody's EEG goes into a bundle
        arpa=arpa,
        readme=RECORDED_README,
        held_out=[h for recording in recordings for h in held_out(recording)],
    )


def network_shape(task: Task, *, n_hidden: int) -> GruCtcSettings:
    """Return the network for ``task``: a frame a hop, each seeing a third of a second."""
    spec = task.spec
    return GruCtcSettings(
        n_inputs=len(spec.bands) * len(spec.channels),
        n_symbols=len(spec.vocabulary),
        patch_samples=task.hop_samples,
        kernel_samples=4 * task.hop_samples,
        n_features=128,
        features="power",
        n_hidden=n_hidden,
        n_layers=1,
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
