"""Whole sessions through a bundle's own chain, offline: what it writes, and how wrong that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.values import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.values import Samples
    from runtime.engine import Engine

N_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Character errors, of one text or summed over texts (micro average)."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    n_characters: int = 0

    def __add__(self, other: ErrorCount) -> ErrorCount:
        return ErrorCount(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.n_characters + other.n_characters,
        )

    @property
    def n_errors(self) -> int:
        """Return errors of all three kinds."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def cer(self) -> float:
        """Return errors per character of the truth."""
        return self.n_errors / self.n_characters


def finals(engine: Engine, samples: Samples) -> list[Text]:
    """Return what is committed of raw ``samples`` (n_samples, n_channels), from a fresh state."""
    chain = engine.chain()
    outputs = [*chain.push(samples), *chain.finish()]
    return [o for o in outputs if isinstance(o, Text) and o.kind == "final"]


def transcript_of(pieces: Iterable[Text]) -> str:
    """Return the text that the finals leave."""
    transcript = ""
    for piece in pieces:
        transcript = transcript[: len(transcript) - piece.delete] + piece.text
    return transcript


def count_errors(truth: str, transcript: str) -> ErrorCount:
    """Return the errors of one transcript."""
    import jiwer

    found = jiwer.process_characters(truth, transcript)
    return ErrorCount(found.substitutions, found.deletions, found.insertions, len(truth))


def sum_errors(counts: Iterable[ErrorCount]) -> ErrorCount:
    """Return the errors over several texts."""
    return sum(counts, ErrorCount())


def cer_interval(counts: Sequence[ErrorCount]) -> tuple[float, float]:
    """Return the 95 % interval of the rate over texts, by resampling whole texts."""
    errors = np.array([count.n_errors for count in counts])
    lengths = np.array([count.n_characters for count in counts])
    drawn = np.random.default_rng(0).integers(0, len(counts), (N_RESAMPLES, len(counts)))
    rates = errors[drawn].sum(axis=1) / lengths[drawn].sum(axis=1)
    low, high = np.percentile(rates, (2.5, 97.5))
    return float(low), float(high)


def right_pieces(truth: str, pieces: Sequence[Text]) -> list[bool]:
    """Say of each final that deletes nothing whether it is exactly right.

    Truth and transcript are aligned as a whole. A character that is missing counts against the
    piece whose text comes next, or the last one.
    """
    import jiwer

    transcript = transcript_of(pieces)
    if not transcript:
        return []
    wrong = np.zeros(len(transcript), dtype=bool)
    for chunk in jiwer.process_characters(truth, transcript).alignments[0]:
        if chunk.type == "delete":
            wrong[min(chunk.hyp_start_idx, len(transcript) - 1)] = True
        elif chunk.type != "equal":
            wrong[chunk.hyp_start_idx : chunk.hyp_end_idx] = True
    stops = np.cumsum([len(piece.text) for piece in pieces])
    starts = stops - [len(piece.text) for piece in pieces]
    return [not wrong[a:b].any() for a, b in zip(starts, stops, strict=True)]
