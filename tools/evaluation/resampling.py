"""Intervals by a two-way bootstrap: over distinct texts and over people at once.

Rows are not independent: the same sentence is read by many, and one person reads many sentences. A
draw takes texts with replacement and people with replacement, and a row counts as often as both
were drawn (the pigeonhole bootstrap, Owen 2007; a little wide rather than too narrow). Whatever is
compared is compared within the same draws, so differences are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

N_DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its two-sided interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Table:
    """Errors and sizes summed by text and person, both (n_texts, n_people)."""

    errors: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    def rate(self) -> float:
        """Errors over sizes, of all rows."""
        return float(self.errors.sum() / self.sizes.sum())


class Resampling:
    """The draws, and the tables of whatever has these texts and people.

    Args:
        texts: of each row, what must be drawn as one: the distinct reference, or the trial.
        people: of each row, whose it is.
        n_draws: how often.
        seed: of the draws.
    """

    def __init__(
        self,
        texts: Sequence[Hashable],
        people: Sequence[Hashable],
        *,
        n_draws: int = N_DRAWS,
        seed: int = 0,
    ) -> None:
        self._text, self.n_texts = _numbered(texts)
        self._person, self.n_people = _numbered(people)
        rng = np.random.default_rng(seed)
        self._text_weight = _counts(rng, self.n_texts, n_draws)
        self._person_weight = _counts(rng, self.n_people, n_draws)

    def __len__(self) -> int:
        """How many draws there are."""
        return len(self._text_weight)

    def table(
        self, errors: NDArray[np.int64] | NDArray[np.float64], sizes: NDArray[np.int64]
    ) -> Table:
        """Return the table of one system's rows, in the order of the rows given at first."""
        shape = (self.n_texts, self.n_people)
        tables = np.zeros((2, *shape))
        np.add.at(tables[0], (self._text, self._person), errors)
        np.add.at(tables[1], (self._text, self._person), sizes)
        return Table(tables[0], tables[1])

    def rates(self, table: Table) -> NDArray[np.float64]:
        """Return the rate in every draw (n_draws,); NaN where a draw holds no row."""
        above = ((self._text_weight @ table.errors) * self._person_weight).sum(axis=1)
        below = ((self._text_weight @ table.sizes) * self._person_weight).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)

    def interval(self, table: Table, *, level: float = 0.95) -> Interval:
        """Return the rate and its two-sided interval by percentiles."""
        return self._interval(table.rate, self.rates(table), level)

    def difference(self, one: Table, other: Table, *, level: float = 0.95) -> Interval:
        """Return how much higher the rate of ``one`` is, with its interval."""
        drawn = self.rates(one) - self.rates(other)
        return self._interval(one.rate - other.rate, drawn, level)

    def lower_bound(self, one: Table, other: Table, *, alpha: float) -> float:
        """Return the one-sided lower bound, at ``alpha``, of how much higher ``one`` is."""
        return float(np.nanquantile(self.rates(one) - self.rates(other), alpha))

    @staticmethod
    def _interval(estimate: float, drawn: NDArray[np.float64], level: float) -> Interval:
        low, high = np.nanquantile(drawn, ((1 - level) / 2, (1 + level) / 2))
        return Interval(estimate, float(low), float(high))


def _numbered(names: Sequence[Hashable]) -> tuple[NDArray[np.int64], int]:
    """Return the number of each name, in order of first appearance, and how many there are."""
    numbers: dict[Hashable, int] = {}
    found = [numbers.setdefault(name, len(numbers)) for name in names]
    return np.array(found, dtype=np.int64), len(numbers)


def _counts(rng: np.random.Generator, n_names: int, n_draws: int) -> NDArray[np.float64]:
    """Return how often each name is drawn (n_draws, n_names); the only one always once."""
    if n_names == 1:
        return np.ones((n_draws, 1))
    drawn = rng.integers(0, n_names, (n_draws, n_names))
    counts = np.zeros((n_draws, n_names))
    np.add.at(counts, (np.arange(n_draws)[:, None], drawn), 1.0)
    return counts
