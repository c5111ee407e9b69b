"""Whether a decoder is right as often as it says: how sure it was, against how often it was right.

Decisions are put in bins of equally many, from the least sure on, so that every bin has something
to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.speller_validation import wilson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BINS = 10
LEAST_IN_BIN = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Decisions that were about equally sure: the mean of that, and the share that was right."""

    n: int
    said: float
    right: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reliability:
    """``expected_error``: the mean distance of a bin from the truth (ECE, bins of equally many).

    ``brier``: the mean squared distance of how sure from right (1) or wrong (0).
    """

    bins: tuple[Bin, ...]
    expected_error: float
    brier: float
    said: float
    right: float


def reliability(is_right: NDArray[np.bool_], scores: NDArray[np.float64]) -> Reliability:
    """Return the reliability of at least one decision; equal scores may fall in two bins."""
    order = np.argsort(scores, kind="stable")
    n_bins = max(1, min(MOST_BINS, len(scores) // LEAST_IN_BIN))
    bins = []
    for chosen in np.array_split(order, n_bins):
        n_right = int(is_right[chosen].sum())
        n = len(chosen)
        bins.append(Bin(n, float(scores[chosen].mean()), n_right / n, wilson_interval(n_right, n)))
    return Reliability(
        bins=tuple(bins),
        expected_error=sum(one.n * abs(one.said - one.right) for one in bins) / len(scores),
        brier=float(np.mean((scores - is_right) ** 2)),
        said=float(scores.mean()),
        right=float(is_right.mean()),
    )
