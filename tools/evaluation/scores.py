"""The usual scores of text against text: WER, CER, BLEU, exact match, and what repeats.

Counted by jiwer and sacrebleu, so that they are the field's own numbers. The verdict rests neither
on BLEU nor on exact match.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jiwer
import sacrebleu

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class TextScores:
    """Corpus scores; rates may exceed 1. ``wer`` and ``bleu`` are None where there are no words.

    ``most_frequent`` is the hypothesis written most often, ``n_most_frequent`` times.
    """

    n_rows: int
    n_references: int
    n_hypotheses: int
    wer: float | None
    cer: float
    bleu: float | None
    exact: float
    empty: float
    substitutions: int
    deletions: int
    insertions: int
    most_frequent: str
    n_most_frequent: int


def text_scores(references: Sequence[str], hypotheses: Sequence[str]) -> TextScores:
    """Return the scores of ``hypotheses`` against ``references``, none of which is empty."""
    characters = jiwer.process_characters(list(references), list(hypotheses))
    has_words = all(text.split() for text in references)
    words = jiwer.process_words(list(references), list(hypotheses)) if has_words else None
    counted = words or characters
    most, n_most = Counter(hypotheses).most_common(1)[0]
    pairs = list(zip(references, hypotheses, strict=True))
    return TextScores(
        n_rows=len(pairs),
        n_references=len(set(references)),
        n_hypotheses=len(set(hypotheses)),
        wer=None if words is None else float(words.wer),
        cer=float(characters.cer),
        bleu=bleu(references, hypotheses) if has_words else None,
        exact=sum(a == b for a, b in pairs) / len(pairs),
        empty=sum(not text for text in hypotheses) / len(pairs),
        substitutions=counted.substitutions,
        deletions=counted.deletions,
        insertions=counted.insertions,
        most_frequent=most,
        n_most_frequent=n_most,
    )


def bleu(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Return corpus BLEU (0 to 100) as sacrebleu gives it, of text that is normalised already."""
    return float(sacrebleu.corpus_bleu(list(hypotheses), [list(references)]).score)
