"""Rows to go and look at: confident mistakes, each way, and unsure hits, with their time.

Confident mistakes are wrong and written however sure the decoder was, and right but withheld. The
first tell what deceives it, the second what it does not trust.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.spec import Settings
from tools.evaluation.figures.decisions import ScoreName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tools.evaluation.figures.decisions import Decision, Decisions

N_MOST = 10


class Example(Settings, frozen=True, kw_only=True):
    """One row, where it is in its recording, and what the decoder thought of it.

    ``score`` is that of ``leading``. Of selections ``meant_posterior`` is that of what was meant
    and ``meant_rank`` its place among all symbols, from 1; None where it has none.
    """

    row: int
    recording: str
    start_s: float
    stop_s: float
    meant: str
    leading: str
    written: str
    score: float
    meant_posterior: float | None
    meant_rank: int | None


class HardExamples(Settings, frozen=True, kw_only=True):
    """The hardest of each kind, hardest first; counts are of all.

    ``threshold`` is the one they were written or withheld by, None for what was really written.
    """

    score: ScoreName | None
    threshold: float | None
    n_written_wrong: int
    written_wrong: tuple[Example, ...]
    n_withheld_right: int
    withheld_right: tuple[Example, ...]
    n_written_right: int
    unsure_hits: tuple[Example, ...]


def hard_examples(
    found: Decisions, *, threshold: float | None = None, n_most: int = N_MOST
) -> HardExamples:
    """Return up to ``n_most`` of each kind: the surest mistakes, the least sure right ones."""
    wrong: list[Decision] = []
    withheld: list[Decision] = []
    hits: list[Decision] = []
    for one in found.kept:
        is_written = bool(one.row.hypothesis) if threshold is None else one.score >= threshold
        if is_written:
            (hits if one.is_right else wrong).append(one)
        elif one.is_right:
            withheld.append(one)
    return HardExamples(
        score=found.score_is,
        threshold=threshold,
        n_written_wrong=len(wrong),
        written_wrong=_examples(sorted(wrong, key=_score, reverse=True)[:n_most]),
        n_withheld_right=len(withheld),
        withheld_right=_examples(sorted(withheld, key=_score)[:n_most]),
        n_written_right=len(hits),
        unsure_hits=_examples(sorted(hits, key=_score)[:n_most]),
    )


def _score(one: Decision) -> float:
    return one.score


def _examples(several: Iterable[Decision]) -> tuple[Example, ...]:
    return tuple(_example(one) for one in several)


def _example(one: Decision) -> Example:
    row = one.row
    posteriors = row.posteriors or {}
    of_meant = posteriors.get(row.reference)
    rank = None
    if of_meant is not None:
        rank = 1 + sum(value > of_meant for value in posteriors.values())
    return Example(
        row=row.number,
        recording=row.recording,
        start_s=row.start_s,
        stop_s=row.start_s + row.duration_s,
        meant=row.reference,
        leading=one.leading,
        written=row.hypothesis,
        score=one.score,
        meant_posterior=of_meant,
        meant_rank=rank,
    )
