"""What a search through CTC frames gives, whichever way it searches.

A frame gives each symbol a probability; an alignment names one symbol a frame, and its text is
what is left when repeats are joined and blanks (symbol 0) dropped (Graves et al. 2006). The *tail*
is what was decoded and not yet committed; symbols are indices into the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

BLANK = 0


@dataclass(frozen=True, slots=True)
class Emission:
    """One symbol of a tail, and where its most probable alignment so far puts it.

    ``first`` and ``last`` are the first samples of its first and last frame. ``log_miss`` is the ln
    of the probability that none of its frames emits it, were frames independent.
    """

    symbol: int
    first: int
    last: int
    log_miss: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A whole tail with its natural-log scores."""

    tail: tuple[int, ...]
    score: float
    model_score: float
    lm_score: float


def n_shared(tails: Iterable[tuple[int, ...]]) -> int:
    """Return how many symbols one or more tails have in common at their start."""
    tails = list(tails)
    low, high = min(tails), max(tails)  # the common start of these two is that of all
    return next((k for k, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))


class Search(Protocol):
    """Hypotheses that grow frame by frame, and shrink from their start as text is committed.

    ``model_score`` counts from the last commit or restart: the probabilities of what survived it
    were made to sum to one.
    """

    def step(self, log_p: NDArray[np.float64], sample: int) -> None:
        """Take the next frame, ``(n_symbols,)`` natural logs, which begins at ``sample``."""

    @property
    def tail(self) -> tuple[int, ...]:
        """The best hypothesis."""

    @property
    def is_open(self) -> bool:
        """Whether the best hypothesis holds anything, be it the beginning of a symbol."""

    @property
    def last_seen(self) -> int:
        """First sample of the last frame in which the best hypothesis emits a symbol.

        The symbol may be committed already.
        """

    def emissions(self) -> list[Emission]:
        """Return the symbols of the best hypothesis with their places."""

    def n_agreed(self) -> int:
        """Return how many symbols of the best hypothesis all surviving hypotheses begin with."""

    def share(self, n_symbols: int) -> float:
        """Return the share of probability that begins with that much of the best hypothesis."""

    def best(self, n_best: int) -> list[Scored]:
        """Return the ``n_best >= 1`` best hypotheses, best first."""

    def commit(self, n_symbols: int) -> None:
        """Take that much of the best hypothesis for true: others die, survivors lose it."""

    def end(self, *, quiet_since: int) -> None:
        """Make the hypothesis that ends best the best one; a commit of all of it must follow.

        The end of the sentence counts here and nowhere else. Only hypotheses that emit nothing
        after ``quiet_since`` compete.
        """

    def restart(self, *, quiet_since: int) -> None:
        """Begin a new sentence; a tail that began before ``quiet_since`` dies."""
