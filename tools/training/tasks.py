"""What ``eegscribe train`` can be asked to learn, and the simulated person as one of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from runtime.paradigm import ALPHABET, CHANNELS
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tools.recordings.digests import SIMULATED
from tools.training.data.examples import SimulatedExamples
from tools.training.evaluation import HeldOut
from tools.training.head import Heard, network_settings
from tools.training.heads import head_of
from tools.training.noise import white_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples
    from tools.training.data.examples import Examples, Sessions
    from tools.training.recipe import Recipe

CORPUS = Path(__file__).parent.parent / "data" / "everyday_train.txt"
UNSEEN = CORPUS.with_name("everyday_test.txt")

HELD_OUT_SEED = 3_000_000
"""Seed of the first session that only scoring hears."""

VALIDATION_SEED = 1_000_003
"""Added to the training's seed: the sessions that decide when it stops."""

QUIET_MIN = 10.0
"""How long silence is listened to, of each kind."""

SIMULATED_README = """# A demonstration, trained on simulated EEG

Nobody's brain was involved. The network knows one simulated person (`eegscribe simulate`) and reads
nothing from anybody else.
"""


@dataclass(frozen=True, slots=True)
class Exam:
    """What a trained bundle is tried on: ``held_out`` and ``quiet`` as for ``evaluate``."""

    held_out: list[HeldOut]
    quiet: dict[str, list[Samples]]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be learnt, and all that a bundle needs beside the network.

    ``data`` names recordings and texts with their SHA-256, ``texts`` are those trained on,
    ``example`` is raw µV for the golden vectors, ``arpa`` the language model's file, ``exam``
    makes what is never trained on, and ``control_is`` says in words what its controls are.
    ``problems``: a line for everything in the data that is left out. ``lexicon``: the file in which
    words are spelled; then ``arpa`` is of words. ``seen``: texts of recordings that were learnt
    from, or that decided when to stop.
    """

    kind: Literal["simulated", "recorded"]
    heard: Heard
    spec: PipelineSpec
    examples: Examples
    validation: Examples | None
    data: dict[str, str]
    texts: tuple[str, ...]
    example: Samples
    arpa: bytes | None
    readme: str
    control_is: str
    exam: Callable[[], Exam]
    problems: tuple[str, ...] = ()
    lexicon: bytes | None = None
    seen: tuple[str, ...] = ()


def is_of_simulated_person(data: Mapping[str, str]) -> bool:
    """Say whether a provenance's data are those of ``train --simulate``, and no recordings."""
    return CORPUS.name in data and SIMULATED in data


def simulated_task(recipe: Recipe, *, arpa: bytes | None) -> Task:
    """Return sessions made as they are needed, half of their text from the corpus that ships.

    A language model of that corpus is made where ``arpa`` is None.

    Raises:
        UsageError: the recipe contradicts itself.
    """
    settings = SynthesisSettings(
        snr_db=recipe.data.simulated.snr_db, line_hz=recipe.signal.line_hz or 50.0
    )
    head = head_of(recipe.family)
    heard = Heard(settings.rate_hz, CHANNELS, tuple(ALPHABET), has_lm=True)
    spec = head.spec(recipe, heard)
    corpus = CORPUS.read_bytes()
    phrases = tuple(corpus.decode().splitlines())
    patch_samples = network_settings(recipe, heard).patch_samples

    def batches(seed: int) -> Examples:
        given = recipe.data.simulated
        sessions: Sessions = SimulatedExamples(
            spec,
            phrases,
            settings,
            patch_samples,
            n_batch=recipe.data.n_batch,
            seed=seed,
            easy_snr_db=given.easy_snr_db,
            easy=given.easy,
            hard=given.hard,
            n_characters=given.n_characters,
            rest_chance=given.rest_chance,
            noise_chance=given.noise_chance,
            augmentation=recipe.data.augment,
        )
        return head.batches(recipe, spec, sessions)

    return Task(
        kind="simulated",
        heard=heard,
        spec=spec,
        examples=batches(recipe.training.seed),
        validation=batches(recipe.training.seed + VALIDATION_SEED),
        data={CORPUS.name: _digest(corpus), SIMULATED: repr(settings)},
        texts=phrases,
        example=synthesise("golden", seed=0, settings=settings).samples,
        arpa=_character_model(phrases, recipe) if arpa is None else arpa,
        readme=SIMULATED_README,
        control_is="no signal",
        exam=lambda: _simulated_exam(settings),
    )


def _character_model(phrases: Sequence[str], recipe: Recipe) -> bytes:
    from tools.language.language_model import arpa_lines, train

    given = recipe.language_model
    text = [*phrases, *joined_pairs(phrases)]
    return "".join(arpa_lines(train(text, order=given.order, prune=given.prune))).encode()


def _simulated_exam(settings: SynthesisSettings) -> Exam:
    """Return a session of every unseen phrase, and rest: as it is, and its background alone."""
    no_signal = msgspec.structs.replace(settings, snr_db=-np.inf)
    sessions = []
    for number, text in enumerate(UNSEEN.read_text("utf-8").splitlines()):
        seed = HELD_OUT_SEED + number
        session = synthesise(text, seed=seed, settings=settings)
        control = synthesise(text, seed=seed, settings=no_signal)
        ends = tuple(character.stop for character in session.characters)
        sessions.append(HeldOut(text, session.samples, control.samples, ends, str(seed)))
    rest = msgspec.structs.replace(settings, lead_s=60.0 * QUIET_MIN, tail_s=0.0)
    bare = msgspec.structs.replace(rest, drift_uv=0.0, line_uv=0.0, blinks_per_min=0.0)
    n_samples = round(60.0 * QUIET_MIN * settings.rate_hz)
    white = white_noise(len(CHANNELS), n_samples, level_uv=settings.background_uv)
    quiet = {
        "idle: rest with blinks, drift and line": [synthesise([], seed=1, settings=rest).samples],
        "noise: EEG background alone": [synthesise([], seed=2, settings=bare).samples],
        "noise: white": [white],
    }
    return Exam(sessions, quiet)


def joined_pairs(phrases: Sequence[str]) -> list[str]:
    """Return phrases two by two, so that a model learns what follows a full stop."""
    order = np.random.default_rng(0).permutation(len(phrases))
    stopped = [p if p[-1] in ".?" else f"{p}." for p in phrases]
    return [
        f"{stopped[one]} {phrases[other]}"
        for one, other in zip(order[::2], order[1::2], strict=False)
    ]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
