"""What was decided of each row, right or wrong, and how sure the decoder was of it.

Of a selection the decision is the leading symbol, written or not, and how sure is its posterior. Of
a sentence it is the whole text, and how sure is its confidence. Rows of one report are of one head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.errors import RecordingError
from tools.evaluation.pairs import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tools.evaluation.pairs import Normalisation
    from tools.evaluation.rows import Row

ScoreName = Literal["posterior", "confidence"]

ROUNDING = 1e-6
"""A posterior may exceed 1 by this much."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One row's: ``leading`` would be written if ``score`` reached the threshold."""

    row: Row
    leading: str
    score: float
    is_right: bool


@dataclass(frozen=True, slots=True)
class Decisions:
    """Those of a report; rows that say nothing of how sure they are were left out.

    ``score_is`` is None where no row says it.
    """

    score_is: ScoreName | None
    kept: tuple[Decision, ...]
    n_left_out: int

    @property
    def scores(self) -> NDArray[np.float64]:
        """How sure each was (n,)."""
        return np.array([one.score for one in self.kept], dtype=np.float64)

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether each was right (n,)."""
        return np.array([one.is_right for one in self.kept], dtype=np.bool_)

    def only(self, chosen: NDArray[np.bool_]) -> Decisions:
        """Return those that are chosen (n,)."""
        kept = (self.kept[k] for k in np.flatnonzero(chosen))
        return Decisions(self.score_is, tuple(kept), self.n_left_out)


def are_selections(rows: Sequence[Row]) -> bool:
    """Say whether rows are selections of one symbol each, and not sentences."""
    return any(row.posteriors is not None or row.leading is not None for row in rows)


def decisions(rows: Sequence[Row], *, how: Normalisation = "basic") -> Decisions:
    """Return what was decided of ``rows``; ``how`` sentences are compared, symbols are as they are.

    Raises:
        RecordingError: a posterior or confidence is no probability, or is not that of the symbol
            that leads; names the row.
    """
    is_selection = are_selections(rows)
    found = [_of_symbol(row) if is_selection else _of_text(row, how) for row in rows]
    # Posteriors and confidences are different scales: one threshold cannot be of both.
    by_posterior = any(row.posteriors is not None for row in rows)
    kept = [
        one
        for one in found
        if one is not None and (one.row.posteriors is not None or not by_posterior)
    ]
    score_is: ScoreName | None = "posterior" if by_posterior else "confidence"
    return Decisions(score_is if kept else None, tuple(kept), len(rows) - len(kept))


def _of_symbol(row: Row) -> Decision | None:
    posteriors = row.posteriors
    if posteriors is None:
        if row.leading is None or row.confidence is None:
            return None
        leading, score = row.leading, row.confidence
    elif not posteriors:
        raise RecordingError(f"row {row.number}: posteriors are empty, wanted one a symbol")
    else:
        for symbol, value in posteriors.items():
            _check(row, value, f"posterior of {symbol!r}")
        likeliest = max(posteriors, key=posteriors.__getitem__)
        leading, score = row.leading or likeliest, posteriors[likeliest]
        if posteriors.get(leading) != score:
            raise RecordingError(
                f"row {row.number}: leading: got {leading!r}, wanted the symbol of the greatest"
                " posterior"
            )
    _check(row, score, "confidence")
    return Decision(row, leading, score, leading == row.reference)


def _of_text(row: Row, how: Normalisation) -> Decision | None:
    if row.confidence is None:
        return None
    _check(row, row.confidence, "confidence")
    is_right = normalise(row.hypothesis, how) == normalise(row.reference, how)
    return Decision(row, row.hypothesis, row.confidence, is_right)


def _check(row: Row, value: float, name: str) -> None:
    if not 0.0 <= value <= 1.0 + ROUNDING:  # also refuses NaN
        raise RecordingError(f"row {row.number}: {name}: got {value:g}, wanted 0 to 1")
