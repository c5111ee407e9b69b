"""What was said before and still lies in the window: what the next hypotheses begin with.

A decoder given text to go on from has to find where in the window that text ends. It goes wrong by
a symbol where the window's start cuts one in two: it may count a rest of a symbol, or not. But the
places of settled text are known. Where attention puts it elsewhere, the text before the window is
given with a symbol more or less.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

N_COMPARED: Final = 5
"""Newest symbols by which settled text is found again."""

MISPLACED: Final = 0.5
"""Symbols by which text may be off and still be in its place."""

N_BEFORE: Final = 1
"""Symbols kept from before the window, to be given beside those inside."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A symbol, the first sample of the frame its attention peaks in, and its log-probability."""

    symbol: int
    sample: int
    log_p: float


class Settled:
    """Symbols no longer to be decided on, ``n_most`` at most, the newest last."""

    def __init__(self, n_most: int, *, frame_samples: int) -> None:
        self._spoken: deque[Spoken] = deque(maxlen=n_most + N_BEFORE)
        self._n_most = n_most
        self._frame_samples = frame_samples
        self._n_inside = 0

    def __len__(self) -> int:
        """Return how many lie in the window."""
        return self._n_inside

    def extend(self, piece: Iterable[Spoken]) -> None:
        """Take symbols that were settled in the window."""
        before = len(self._spoken) - self._n_inside
        self._spoken.extend(piece)
        self._n_inside = min(len(self._spoken) - before, self._n_most)

    def move(self, start: int) -> None:
        """Forget what lies before a window that begins at ``start``, but for the newest of it."""
        self._n_inside = min(sum(s.sample >= start for s in self._spoken), self._n_most)
        while len(self._spoken) > self._n_inside + N_BEFORE:
            self._spoken.popleft()

    def inside(self) -> list[Spoken]:
        """Return those in the window."""
        return list(self._spoken)[len(self._spoken) - self._n_inside :]

    def prefix(self, n_more: int) -> list[int] | None:
        """Return the symbols inside with ``n_more`` before them; None if there are not as many."""
        n = self._n_inside + n_more
        if not 0 < n <= min(len(self._spoken), self._n_most):
            return None
        return [spoken.symbol for spoken in list(self._spoken)[-n:]]

    def off_by(self, places: Sequence[int]) -> float:
        """Say by how many symbols given text lies behind where it was; 0 where nobody can tell."""
        known = [spoken.sample for spoken in self._spoken][-min(N_COMPARED, len(places)) :]
        if len(known) < 2:
            return 0.0
        off = median(now - was for now, was in zip(places[-len(known) :], known, strict=True))
        return off / max((known[-1] - known[0]) / (len(known) - 1), self._frame_samples)
