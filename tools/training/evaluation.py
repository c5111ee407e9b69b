"""What a new bundle is worth on sessions it was not trained on, written into its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from models.bundle import load_bundle, write_bundle
from models.manifest import ConfidenceFit, Evaluation
from models.speller_validation import fit_confidence
from runtime.engine import open_engine
from tools.transcribe import (
    ErrorCount,
    cer_interval,
    count_errors,
    finals,
    right_pieces,
    sum_errors,
    transcript_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pipeline.values import Samples

GREEDY = {"method": "greedy", "lm_weight": "0"}
"""Decoder settings that leave the language model out."""

HeldOut = tuple[str, "Samples"]
"""The truth, and the raw samples ``(n_samples, n_channels)`` in which it lies with rest around."""


def evaluate_bundle(
    path: Path, held_out: Iterable[HeldOut], *, on_done: Callable[[int], None] | None = None
) -> tuple[str, dict[str, Any]]:
    """Score the bundle at ``path``, put scores and confidence into it; return digest and scores.

    Raises:
        BundleError: it cannot be opened.
    """
    decoded, greedy = open_engine(path), open_engine(path, decoder=GREEDY)
    counts: dict[str, list[ErrorCount]] = {"decoder": [], "greedy": []}
    raw: list[float] = []
    right: list[bool] = []
    for number, (truth, samples) in enumerate(held_out, start=1):
        pieces = finals(decoded, samples)
        counts["decoder"].append(count_errors(truth, transcript_of(pieces)))
        counts["greedy"].append(count_errors(truth, transcript_of(finals(greedy, samples))))
        raw += [piece.raw_confidence or 0.0 for piece in pieces]
        right += right_pieces(truth, pieces)
        if on_done is not None:
            on_done(number)
    scores = {name: _figures(given) for name, given in counts.items() if given}
    bundle = load_bundle(path)
    manifest = msgspec.structs.replace(
        bundle.manifest,
        evaluation=Evaluation(scores=scores),
        confidence=_confidence(np.array(raw), np.array(right)) if raw else None,
    )
    return write_bundle(path, manifest, bundle.files), scores


def _figures(counts: list[ErrorCount]) -> dict[str, Any]:
    total = sum_errors(counts)
    return {
        "cer": total.cer,
        "cer_95": cer_interval(counts),
        "substitutions": total.substitutions,
        "deletions": total.deletions,
        "insertions": total.insertions,
        "characters": total.n_characters,
        "texts": len(counts),
    }


def _confidence(raw: Any, right: Any) -> ConfidenceFit:
    knots, probability = fit_confidence(raw, right)
    return ConfidenceFit(raw=knots, probability=probability, n=len(raw))
