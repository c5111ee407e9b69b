"""Figures of text alone: repetition, and how far one gets without any EEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from tools.training.transcribe import count_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tools.training.transcribe import ErrorCount

N_WORDS = 4
N_CHARACTERS = 8

N_CANDIDATES = 1000


def repeated_share(parts: Iterable[Sequence[str]], *, n: int) -> float:
    """Return the share of n-grams that stood in the same text before, 0 where there are none.

    Args:
        parts: texts, each as its words or its characters.
        n: how many make an n-gram.
    """
    n_all = n_new = 0
    for text in parts:
        grams = [tuple(text[k : k + n]) for k in range(len(text) - n + 1)]
        n_all += len(grams)
        n_new += len(set(grams))
    return (n_all - n_new) / n_all if n_all else 0.0


def best_constant(texts: Sequence[str]) -> str:
    """Return what one would best always say to make few character errors on texts like ``texts``.

    Candidates are the empty text, the texts themselves, and what they begin with; at most
    :data:`N_CANDIDATES` of the texts are looked at.
    """
    chosen = list(texts[:: max(1, len(texts) // N_CANDIDATES)])
    if not chosen:
        return ""
    mean = sum(map(len, chosen)) / len(chosen)
    starts = {text[: round(mean * share)] for text in chosen for share in (0.25, 0.5, 0.75, 1.0)}
    candidates = sorted({"", *chosen, *starts})
    costs = cdist(candidates, chosen, scorer=Levenshtein.distance, dtype=np.int32).sum(axis=1)
    return candidates[int(costs.argmin())]


def constant_errors(phrase: str, truths: Iterable[str]) -> list[ErrorCount]:
    """Return the errors of always saying ``phrase``."""
    return [count_errors(truth, phrase) for truth in truths]
