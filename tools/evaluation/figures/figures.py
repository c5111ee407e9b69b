"""All that saved rows tell beyond the judgement, for ``evaluation.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.spec import Settings
from tools.evaluation.figures.confusion import Confusion, confusion
from tools.evaluation.figures.decisions import decisions
from tools.evaluation.figures.frequency_groups import (
    FrequencyGroups,
    frequency_groups,
    symbol_counts,
)
from tools.evaluation.figures.hard_examples import HardExamples, hard_examples
from tools.evaluation.figures.operating_points import OperatingPoints, operating_points
from tools.evaluation.pairs import normalise
from tools.recordings.digests import text_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.evaluation.edits import Unit
    from tools.evaluation.pairs import Normalisation
    from tools.evaluation.passes.overlap import Overlap
    from tools.evaluation.rows import Row


class Figures(Settings, frozen=True, kw_only=True):
    """What is taken for what, by how common it is, how sure, and where to look.

    ``confusion`` is None of words, for there are too many. ``operating_points`` and
    ``hard_examples`` are None where no row says how sure the decoder was.
    """

    confusion: Confusion | None
    frequency_groups: FrequencyGroups | None
    operating_points: OperatingPoints | None
    hard_examples: HardExamples | None


def figures(
    rows: Sequence[Row],
    unit: Unit,
    *,
    how: Normalisation = "basic",
    trained: Mapping[str, int] | None = None,
) -> Figures:
    """Return the figures of ``rows``; ``trained`` are counts of the unit's symbols in training.

    Raises:
        RecordingError: a posterior or confidence is no probability.
    """
    in_words = unit == "words"
    found = decisions(rows, how=how)
    return Figures(
        confusion=None if in_words else confusion(rows, how=how),
        frequency_groups=frequency_groups(rows, trained=trained, how=how, in_words=in_words),
        operating_points=operating_points(found) if found.kept else None,
        hard_examples=hard_examples(found) if found.kept else None,
    )


def trained_counts(
    overlap: Overlap, unit: Unit, *, how: Normalisation = "basic"
) -> dict[str, int] | None:
    """Return how often each symbol occurs in training; None where its texts are not all known."""
    texts = overlap.training or ()
    if unit == "selections" or not texts or not overlap.texts <= set(map(text_digest, texts)):
        return None
    return symbol_counts((normalise(text, how) for text in texts), in_words=unit == "words")
