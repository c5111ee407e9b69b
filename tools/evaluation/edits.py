"""How wrong a text is: edits against what was meant, in words, in characters, or as a whole.

Corpus rates are micro averages: edits of all rows over the size of all references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist, cpdist

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Unit = Literal["words", "characters", "selections"]

ERROR_NAMES: dict[Unit, str] = {
    "words": "WER",
    "characters": "CER",
    "selections": "1 - accuracy",
}

_FIRST = 0xE000
"""Words become characters from here on, beyond those that Python keeps for surrogates."""


def sizes(references: Sequence[str], unit: Unit) -> NDArray[np.int64]:
    """Return how many units each reference has."""
    if unit == "selections":
        return np.ones(len(references), np.int64)
    parts = [text.split() if unit == "words" else text for text in references]
    return np.array([len(part) for part in parts], dtype=np.int64)


def edits(references: Sequence[str], hypotheses: Sequence[str], unit: Unit) -> NDArray[np.int64]:
    """Return the edits of each row: substitutions, deletions and insertions, all alike."""
    if unit == "selections":
        wrong = [a != b for a, b in zip(references, hypotheses, strict=True)]
        return np.array(wrong, dtype=np.int64)
    left, right = in_characters(references, hypotheses, unit)
    found = cpdist(left, right, scorer=Levenshtein.distance, dtype=np.int32)
    return np.array(found, dtype=np.int64)


def cross_edits(
    references: Sequence[str], hypotheses: Sequence[str], unit: Unit
) -> NDArray[np.int64]:
    """Return the edits of every hypothesis against every reference (n_references, n_hypotheses)."""
    if unit == "selections":
        own, other = np.array(references, dtype=object), np.array(hypotheses, dtype=object)
        return np.array(own[:, None] != other[None, :], dtype=np.int64)
    left, right = in_characters(references, hypotheses, unit)
    found = cdist(left, right, scorer=Levenshtein.distance, dtype=np.int32)
    return np.array(found, dtype=np.int64)


def in_characters(
    references: Sequence[str], hypotheses: Sequence[str], unit: Unit
) -> tuple[list[str], list[str]]:
    """Return both as texts whose characters are the units; selections stay what they are."""
    if unit != "words":
        return list(references), list(hypotheses)
    codes: dict[str, str] = {}

    def encoded(text: str) -> str:
        return "".join(codes.setdefault(w, chr(_FIRST + len(codes))) for w in text.split())

    return [encoded(text) for text in references], [encoded(text) for text in hypotheses]
