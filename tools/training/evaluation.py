"""What a new bundle is worth on sessions it was not trained on, through its own chain.

The same for every head: all it knows of a bundle is the engine's chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jiwer
import msgspec
import numpy as np

from models.bundle import load_bundle, write_bundle
from models.manifest import ConfidenceFit, Evaluation
from models.speller_validation import fit_confidence
from runtime.engine import open_engine
from tools.training.listening import listen
from tools.training.report import Baseline, Reading, Silence
from tools.training.text_figures import (
    N_CHARACTERS,
    N_WORDS,
    best_constant,
    constant_errors,
    repeated_share,
)
from tools.training.transcribe import cer_interval, count_errors, right_pieces, sum_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.values import Samples
    from runtime.engine import Engine
    from tools.training.listening import Listening

GREEDY = {"method": "greedy", "lm_weight": "0"}
"""Decoder settings that leave the language model out."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A text that nothing was trained on: ``text`` and raw ``samples`` with rest around it.

    ``control``: the same without signal. ``ends``: the sample at which each character's
    true span ends, or None where that is not known. ``session``: in which it was recorded.
    """

    text: str
    samples: Samples
    control: Samples
    ends: tuple[int, ...] | None = None
    session: str = ""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Figures by decoder, of the control, of text alone, and what is said of silence."""

    readings: dict[str, Reading]
    control: Reading
    baseline: Baseline
    truth_repeated: tuple[float, float]
    silence: dict[str, Silence]


def evaluate(
    path: Path,
    held_out: Sequence[HeldOut],
    *,
    quiet: Mapping[str, Sequence[Samples]],
    training_texts: Sequence[str],
    on_done: Callable[[int], None] | None = None,
) -> tuple[str, Evaluated]:
    """Score the bundle at ``path``, put scores and confidence into it; return its new digest too.

    Args:
        path: folder or ``.eegb`` file; replaced.
        held_out: at least one.
        quiet: raw samples in which nothing is said, by name, each piece heard by itself.
        training_texts: of which the constant phrase is chosen.
        on_done: hears how many sessions are done.

    Raises:
        BundleError: it cannot be opened.
    """
    decoded, greedy = open_engine(path), open_engine(path, decoder=GREEDY)
    heard: dict[str, list[Listening]] = {"decoder": [], "greedy": [], "control": []}
    for number, session in enumerate(held_out, start=1):
        heard["decoder"].append(listen(decoded, session.samples))
        heard["greedy"].append(listen(greedy, session.samples))
        heard["control"].append(listen(decoded, session.control))
        if on_done is not None:
            on_done(number)
    rate_hz = decoded.spec.rate_hz
    readings = {name: read(held_out, found, rate_hz=rate_hz) for name, found in heard.items()}
    # A character that fits by chance has no lag.
    control = msgspec.structs.replace(readings.pop("control"), lag_p50_s=None, lag_p95_s=None)
    truths = [session.text for session in held_out]
    found = Evaluated(
        readings=readings,
        control=control,
        baseline=_baseline(training_texts, truths),
        truth_repeated=_repeated(truths),
        silence={name: _silence(decoded, pieces) for name, pieces in quiet.items()},
    )
    bundle = load_bundle(path)
    manifest = msgspec.structs.replace(
        bundle.manifest,
        evaluation=Evaluation(
            scores={n: msgspec.to_builtins(r) for n, r in {**readings, "control": control}.items()}
        ),
        confidence=_confidence(truths, heard["decoder"]),
    )
    return write_bundle(path, manifest, bundle.files), found


def read(sessions: Sequence[HeldOut], heard: Sequence[Listening], *, rate_hz: float) -> Reading:
    """Return how well ``heard`` agrees with the sessions' texts; lags where spans are known."""
    truths = [session.text for session in sessions]
    texts = [listening.transcript for listening in heard]
    counts = [count_errors(truth, text) for truth, text in zip(truths, texts, strict=True)]
    total = sum_errors(counts)
    lags, n_right = [], 0
    for session, listening in zip(sessions, heard, strict=True):
        right = _right_characters(session.text, listening.transcript)
        n_right += len(right)
        if session.ends is not None:
            emitted = listening.character_emitted()
            lags += [(emitted[there] - session.ends[here]) / rate_hz for here, there in right]
    n_final = sum(listening.n_symbols for listening in heard)
    words, characters = _repeated(texts)
    return Reading(
        cer=total.cer,
        cer_95=cer_interval(counts),
        substitutions=total.substitutions,
        deletions=total.deletions,
        insertions=total.insertions,
        characters=total.n_characters,
        texts=len(counts),
        insertion_rate=total.insertions / total.n_characters,
        wrong_finals=(n_final - n_right) / n_final if n_final else 0.0,
        n_final_symbols=n_final,
        repeated_4_words=words,
        repeated_8_characters=characters,
        flicker=sum(listening.n_taken for listening in heard) / max(n_final, 1),
        lag_p50_s=float(np.percentile(lags, 50)) if lags else None,
        lag_p95_s=float(np.percentile(lags, 95)) if lags else None,
    )


def _right_characters(truth: str, transcript: str) -> list[tuple[int, int]]:
    """Return the places in both of each character that the alignment finds right."""
    if not transcript:
        return []
    chunks = jiwer.process_characters(truth, transcript).alignments[0]
    return [
        (chunk.ref_start_idx + k, chunk.hyp_start_idx + k)
        for chunk in chunks
        if chunk.type == "equal"
        for k in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]


def _repeated(texts: Sequence[str]) -> tuple[float, float]:
    return (
        repeated_share([text.split() for text in texts], n=N_WORDS),
        repeated_share(texts, n=N_CHARACTERS),
    )


def _baseline(training_texts: Sequence[str], truths: Sequence[str]) -> Baseline:
    phrase = best_constant(training_texts)
    counts = constant_errors(phrase, truths)
    return Baseline(phrase=phrase, cer=sum_errors(counts).cer, cer_95=cer_interval(counts))


def _silence(engine: Engine, pieces: Sequence[Samples]) -> Silence:
    heard = [listen(engine, samples) for samples in pieces]
    minutes = sum(map(len, pieces)) / engine.spec.rate_hz / 60.0
    return Silence(
        minutes=minutes,
        finals_per_min=sum(len(listening.pieces) for listening in heard) / minutes,
        symbols_per_min=sum(listening.n_symbols for listening in heard) / minutes,
    )


def _confidence(truths: Sequence[str], heard: Sequence[Listening]) -> ConfidenceFit | None:
    raw: list[float] = []
    right: list[bool] = []
    for truth, listening in zip(truths, heard, strict=True):
        raw += [piece.raw_confidence or 0.0 for piece in listening.pieces]
        right += right_pieces(truth, listening.pieces)
    if not raw:
        return None
    knots, probability = fit_confidence(np.array(raw), np.array(right))
    return ConfidenceFit(raw=knots, probability=probability, n=len(raw))
