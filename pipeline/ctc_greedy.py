"""The most probable symbol of each frame, repeats joined and blanks dropped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pipeline.ctc import BLANK, Emission, Scored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CERTAIN: Final = -1e-12
"""Log-probabilities above this count as this, so that a missed certainty stays finite."""


class GreedySearch:
    """One hypothesis, scored by its single alignment: no more than the sum over all."""

    def __init__(self, *, sample: int) -> None:
        """Start silent, at ``sample``."""
        self._emissions: list[Emission] = []
        self._held = BLANK
        self._last_seen = sample
        self._score = 0.0

    def step(self, log_p: NDArray[np.float64], sample: int) -> None:
        """Take the next frame: one symbol, one blank, or more of the same symbol."""
        symbol = int(log_p.argmax())
        log_best = float(log_p[symbol])
        self._score += log_best
        if symbol != BLANK:
            self._last_seen = sample
            log_miss = math.log(-math.expm1(min(log_best, CERTAIN)))
            if symbol != self._held:
                self._emissions.append(Emission(symbol, sample, sample, log_miss))
            elif self._emissions:
                begun = self._emissions[-1]
                log_miss += begun.log_miss
                self._emissions[-1] = Emission(symbol, begun.first, sample, log_miss)
        self._held = symbol

    @property
    def tail(self) -> tuple[int, ...]:
        """The only hypothesis."""
        return tuple(e.symbol for e in self._emissions)

    @property
    def is_open(self) -> bool:
        """Whether there is a symbol."""
        return bool(self._emissions)

    @property
    def last_seen(self) -> int:
        """First sample of the last frame that was not blank."""
        return self._last_seen

    def emissions(self) -> list[Emission]:
        """Return the symbols of the tail with their places."""
        return self._emissions

    def n_agreed(self) -> int:
        """Return the length of the tail: nobody disagrees."""
        return len(self._emissions)

    def share(self, n_symbols: int) -> float:
        """Return 1: there is one hypothesis."""
        return 1.0

    def best(self, n_best: int) -> list[Scored]:
        """Return the only hypothesis."""
        return [Scored(self.tail, self._score, self._score, 0.0)][:n_best]

    def commit(self, n_symbols: int) -> None:
        """Drop the start of the tail; scores count from here."""
        del self._emissions[:n_symbols]
        self._score = 0.0

    def end(self, *, quiet_since: int) -> None:
        """Do nothing: there is no other hypothesis, and no language model."""

    def restart(self, *, quiet_since: int) -> None:
        """Drop the tail if it began before ``quiet_since``; scores count from here."""
        if self._emissions and self._emissions[0].first < quiet_since:
            self._emissions.clear()
        self._score = 0.0
