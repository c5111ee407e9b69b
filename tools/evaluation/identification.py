"""N-way identification: is a hypothesis closer to its own reference than to others of like length?

Chance is 1 / N. Softer than an error rate: a text may be wrong in every word and still tell which
sentence was meant, so a model that reads a little shows it here first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.edits import cross_edits, sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tools.evaluation.edits import Unit
    from tools.evaluation.resampling import Interval, Resampling

WAYS = (2, 10, 50)
N_ROUNDS = 20
NEIGHBOURS = 3
"""Others are drawn among this many times N texts nearest in length."""


@dataclass(frozen=True, slots=True)
class Identification:
    """Share of rows named right among ``n_ways`` texts, of which one is true."""

    n_ways: int
    share: Interval

    @property
    def chance(self) -> float:
        """What a hypothesis that says nothing gets."""
        return 1.0 / self.n_ways


def identify(
    references: Sequence[str],
    hypotheses: Sequence[str],
    unit: Unit,
    resampling: Resampling,
    *,
    seed: int = 0,
) -> tuple[Identification, ...]:
    """Return the shares for each N that there are texts enough for; of equals, each a part."""
    distinct = sorted(set(references))
    number = {text: k for k, text in enumerate(distinct)}
    of = np.array([number[text] for text in references])
    length = sizes(distinct, unit)
    # Edits over the longer of the two: else short texts would always be near.
    longest = np.maximum(length[:, None], sizes(hypotheses, unit)[None, :])
    distance = cross_edits(distinct, hypotheses, unit) / np.maximum(longest, 1)
    rng = np.random.default_rng(seed)
    found = []
    for n_ways in WAYS:
        if len(distinct) < 2 * n_ways:
            continue
        near = [_near(length, text, NEIGHBOURS * n_ways) for text in range(len(distinct))]
        right = np.zeros(len(of))
        for row, text in enumerate(of):
            drawn = rng.random((N_ROUNDS, len(near[text]))).argsort(axis=1)[:, : n_ways - 1]
            others = distance[near[text][drawn], row]  # (N_ROUNDS, n_ways - 1)
            is_named = others.min(axis=1) >= distance[text, row]
            n_equal = 1 + np.count_nonzero(others == distance[text, row], axis=1)
            right[row] = (is_named / n_equal).sum()
        table = resampling.table(right / N_ROUNDS, np.ones(len(of), np.int64))
        found.append(Identification(n_ways, resampling.interval(table)))
    return tuple(found)


def _near(length: NDArray[np.int64], text: int, n_most: int) -> NDArray[np.int64]:
    """Return the texts nearest in length to ``text``, itself left out."""
    order = np.argsort(np.abs(length - length[text]), kind="stable")
    nearest: NDArray[np.int64] = order[order != text][:n_most]
    return nearest
