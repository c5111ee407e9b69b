"""N-way identification: is a hypothesis closer to its own reference than to others of like length?

Chance is 1 / N. Softer than an error rate: a text may be wrong in every word and still tell which
sentence was meant, so a model that reads a little shows it here first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.pairwise import Pairwise

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
    pairs = Pairwise(references, hypotheses, unit)
    length = pairs.text_sizes
    rng = np.random.default_rng(seed)
    found = []
    for n_ways in WAYS:
        if len(length) < 2 * n_ways:
            continue
        right = np.zeros(len(references))
        for text in range(len(length)):
            rows = np.flatnonzero(pairs.of == text)
            near = _near(length, text, NEIGHBOURS * n_ways)
            own = pairs.distances(np.array([text]), rows)[0]  # (n_rows,)
            distances = pairs.distances(near, rows)  # (n_near, n_rows)
            keys = rng.random((len(rows), N_ROUNDS, len(near)))
            drawn = keys.argsort(axis=2)[:, :, : n_ways - 1]
            others = np.take_along_axis(distances.T[:, None, :], drawn, axis=2)
            is_named = others.min(axis=2) >= own[:, None]
            n_equal = 1 + np.count_nonzero(others == own[:, None, None], axis=2)
            right[rows] = (is_named / n_equal).sum(axis=1)
        table = resampling.table(right / N_ROUNDS, np.ones(len(right), np.int64))
        found.append(Identification(n_ways, resampling.interval(table)))
    return tuple(found)


def _near(length: NDArray[np.int64], text: int, n_most: int) -> NDArray[np.int64]:
    """Return the texts nearest in length to ``text``, itself left out."""
    order = np.argsort(np.abs(length - length[text]), kind="stable")
    nearest: NDArray[np.int64] = order[order != text][:n_most]
    return nearest
