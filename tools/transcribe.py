"""Whole sessions through a bundle's own chain, offline: what it writes, and how wrong that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.values import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.values import Samples
    from runtime.engine import Engine


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Character errors summed over texts (micro average)."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    n_characters: int = 0

    @property
    def cer(self) -> float:
        """Return errors per character of the truth."""
        return (self.substitutions + self.deletions + self.insertions) / self.n_characters


def transcribe(engine: Engine, samples: Samples) -> str:
    """Return the transcript of raw ``samples`` (n_samples, n_channels), from a fresh state."""
    chain = engine.chain()
    transcript = ""
    for output in [*chain.push(samples), *chain.finish()]:
        if isinstance(output, Text) and output.kind == "final":
            transcript = transcript[: len(transcript) - output.delete] + output.text
    return transcript


def count_errors(pairs: Iterable[tuple[str, str]]) -> ErrorCount:
    """Return the errors over pairs of truth and transcript."""
    import jiwer

    total = ErrorCount()
    for truth, transcript in pairs:
        found = jiwer.process_characters(truth, transcript)
        total = ErrorCount(
            total.substitutions + found.substitutions,
            total.deletions + found.deletions,
            total.insertions + found.insertions,
            total.n_characters + len(truth),
        )
    return total
