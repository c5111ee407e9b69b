"""Labelled recordings as a task: read and checked, cut, split, filtered when they are needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError, UsageError
from pipeline.spec import CtcDecoder
from runtime.recordings.source import RecordingSource
from tools.console.progress import progress
from tools.recordings.signal import read_signal
from tools.training.controls import phase_randomised
from tools.training.data.bids import find_recordings
from tools.training.data.cache import FilteredCache
from tools.training.data.corpus import read_corpus
from tools.training.data.cuts import cut_corpus
from tools.training.data.recorded import CutExamples, HeldOutTexts, training_examples
from tools.training.data.spelling import Spelling
from tools.training.data.splits import HELD_OUT, TRAINING, VALIDATION, split_cuts
from tools.training.evaluation import HeldOut
from tools.training.head import Heard, network_settings
from tools.training.heads import head_of
from tools.training.noise import white_noise
from tools.training.tasks import QUIET_MIN, Exam, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.values import Samples
    from tools.training.data.corpus import Corpus
    from tools.training.data.cuts import Cut
    from tools.training.data.examples import Examples
    from tools.training.recipe import Recipe

README = """# A network trained on labelled recordings

It knows the person, the montage and the amplifier it was trained on. What it is worth on anything
else is for `eegscribe evaluate` to say.
"""


def recorded_task(
    recipe: Recipe, paths: Sequence[Path], *, arpa: bytes | None, cache: Path | None
) -> Task:
    """Return the texts of recordings: what is trained on, what decides when to stop, what scores.

    Args:
        recipe: says how they are read, split and changed.
        paths: recordings and folders of them.
        arpa: the language model's file, None for none.
        cache: folder for filtered recordings, None to keep them in memory.

    Raises:
        RecordingError: they cannot be used, or not be split.
        UsageError: the recipe contradicts itself.
    """
    given, training = recipe.data, recipe.training
    found = [recording for path in paths for recording in find_recordings(path)]
    with progress("reading", total=len(found)) as bar:
        corpus = read_corpus(found, given, on_done=bar)
    head = head_of(recipe.family)
    spelling = Spelling(Path(given.lexicon)) if given.lexicon else None
    symbols = spelling.symbols if spelling else corpus.symbols
    heard = Heard(corpus.rate_hz, corpus.channels, symbols, has_lm=arpa is not None)
    spec = head.spec(recipe, heard)
    finds_words = isinstance(spec.decoder, CtcDecoder) and spec.decoder.method == "lexicon"
    if finds_words != bool(spelling):
        raise UsageError(
            f"recipe: data.lexicon: got {given.lexicon!r}, wanted one if, and only if,"
            " decoder.method is lexicon"
        )
    cuts, unsaid = _sayable(cut_corpus(corpus, margin_s=given.margin_s), spelling)
    parts = _parts(recipe, cuts)
    filtered = FilteredCache(corpus.recordings, spec, folder=cache)

    def batches(name: str) -> Examples:
        sessions = training_examples(
            CutExamples(corpus, parts[name], cache=filtered, spec=spec, spelling=spelling),
            spec=spec,
            patch_samples=network_settings(recipe, heard).patch_samples,
            n_batch=given.n_batch,
            seed=training.seed,
            augmentation=given.augment if name == TRAINING else None,
            noise_chance=given.noise_chance if name == TRAINING else 0.0,
        )
        return head.batches(recipe, spec, sessions)

    noise = np.random.default_rng(0).standard_normal((2000, len(corpus.channels)))
    return Task(
        kind="simulated" if any(r.is_simulated for r in corpus.recordings) else "recorded",
        heard=heard,
        spec=spec,
        examples=batches(TRAINING),
        validation=batches(VALIDATION) if parts[VALIDATION] else None,
        data=corpus.digests() | (spelling.digest() if spelling else {}),
        texts=tuple(cut.text for cut in parts[TRAINING] if cut.text),
        example=np.cumsum(noise, axis=0).astype(np.float32),  # nobody's EEG goes into a bundle
        arpa=arpa,
        readme=README,
        control_is="phases randomised",
        exam=lambda: _exam(corpus, parts),
        problems=(*corpus.problems, *unsaid),
        lexicon=spelling.data if spelling else None,
        seen=tuple(cut.text for n in (TRAINING, VALIDATION) for cut in parts[n] if cut.text),
    )


def _sayable(
    cuts: Sequence[Cut], spelling: Spelling | None
) -> tuple[Sequence[Cut], tuple[str, ...]]:
    """Return the cuts without those that have words nobody can pronounce, and a line on these.

    Raises:
        RecordingError: no text is left.
    """
    missing = [spelling.missing(cut.text) if spelling else [] for cut in cuts]
    left = [cut for cut, words in zip(cuts, missing, strict=True) if not words]
    if len(left) == len(cuts):
        return cuts, ()
    names = list(dict.fromkeys(word for words in missing for word in words))
    told = f"{len(cuts) - len(left)} texts without pronunciation of {', '.join(names[:12])}"
    if not any(cut.text for cut in left):
        raise RecordingError(f"no text is left: {told}")
    return left, (told,)


def _parts(recipe: Recipe, cuts: Sequence[Cut]) -> dict[str, tuple[Cut, ...]]:
    """Return the cuts of each part; validation takes as much as is held out, where it is heard."""
    validation = recipe.data.held_out if recipe.training.validate_every else 0.0
    found = split_cuts(cuts, recipe.data, validation=validation)
    return {
        name: tuple(cuts[k] for k in found.get(name, ()))
        for name in (TRAINING, VALIDATION, HELD_OUT)
    }


def _exam(corpus: Corpus, parts: Mapping[str, Sequence[Cut]]) -> Exam:
    """Return the held-out texts, their controls, rest, and noise about as loud as they are."""
    sessions = [
        HeldOut(text, samples, phase_randomised(samples, seed=number), session=session)
        for number, (text, samples, session) in enumerate(HeldOutTexts(corpus, parts[HELD_OUT]))
    ]
    if not sessions:
        return Exam([], {})
    level_uv = float(np.std(np.diff(sessions[0].samples, axis=0)))
    n_samples = round(60.0 * QUIET_MIN * corpus.rate_hz)
    noise = white_noise(len(corpus.channels), n_samples, level_uv=level_uv)
    quiet = {"noise: white": [noise]}
    for part, name in ((HELD_OUT, "idle: rest, held out"), (TRAINING, "idle: rest, trained on")):
        pieces = _rests(corpus, parts[part], n_samples=n_samples)
        if pieces:
            return Exam(sessions, {name: pieces, **quiet})
    return Exam(sessions, quiet)


def _rests(corpus: Corpus, cuts: Sequence[Cut], *, n_samples: int) -> list[Samples]:
    """Return the raw samples of rests, until there are ``n_samples`` of them."""
    pieces: list[Samples] = []
    for number, recorded in enumerate(corpus.recordings):
        rests = [cut for cut in cuts if cut.recording == number and not cut.text]
        if rests and sum(map(len, pieces)) < n_samples:
            samples = read_signal(RecordingSource(recorded.path)).samples
            pieces += [samples[cut.start : cut.stop].copy() for cut in rests]
    return pieces
