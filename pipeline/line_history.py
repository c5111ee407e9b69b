"""What the line was where: index to time and back over the recent past."""

from __future__ import annotations

import math
from bisect import bisect_right

AHEAD_S = 10.0
"""How far ahead of its newest anchor the newest epoch is still taken to hold."""


class LineHistory:
    """Anchors ``(index, time, period)``, ascending; between two, the earlier one's line holds.

    Where samples are missing the next anchor stands on the first sample after the gap. A new epoch
    begins where the clock may have been exchanged: times ascend only within an epoch.

    Args:
        n_anchors: how many are kept at least.
    """

    def __init__(self, n_anchors: float = 1 << 14) -> None:
        self._n_anchors = n_anchors
        self._epochs = [0]  # positions of the epochs' first anchors
        self._indices: list[float] = []
        self._times: list[float] = []
        self._periods: list[float] = []

    def begin_epoch(self) -> None:
        """Begin anew: the next anchor's time need not lie after the ones before."""
        if self._epochs[-1] != len(self._indices):
            self._epochs.append(len(self._indices))

    def forget_from(self, index: float) -> None:
        """Take back the anchors at ``index`` and later."""
        while self._indices and self._indices[-1] >= index:
            for column in (self._indices, self._times, self._periods):
                column.pop()
        self._epochs = [at for at in self._epochs if at <= len(self._indices)] or [0]

    def add(self, index: float, time_s: float, period_s: float) -> None:
        """Anchor the line at ``index``; one that is not later than the newest is left out."""
        if self._indices and index <= self._indices[-1]:
            return
        self._indices.append(index)
        self._times.append(time_s)
        self._periods.append(period_s)
        if len(self._indices) > 2 * self._n_anchors:
            n_old = len(self._indices) // 2
            for column in (self._indices, self._times, self._periods):
                del column[:n_old]
            self._epochs = sorted({max(0, at - n_old) for at in self._epochs})

    def time_at(self, index: float) -> float:
        """Return the time of an index; outside the anchors the nearest line goes on.

        Raises:
            IndexError: there is no anchor.
        """
        return self._extended(max(0, bisect_right(self._indices, index) - 1), index)

    def index_at(self, time_s: float) -> int:
        """Return the index of the sample nearest in time.

        A time inside a gap goes to the nearer of its edges; one that several epochs know, to the
        latest of them, and one that none knows, to the nearest.

        Raises:
            IndexError: there is no anchor.
        """
        start, stop = self._epoch_of(time_s)
        at = max(start, bisect_right(self._times, time_s, lo=start, hi=stop) - 1)
        exact = self._indices[at] + (time_s - self._times[at]) / self._periods[at]
        if at + 1 < stop:
            edge = self._indices[at + 1] - 1
            if exact > edge:
                before_s = (exact - edge) * self._periods[at]
                after_s = self._times[at + 1] - time_s
                return math.floor(edge if before_s <= after_s else edge + 1)
        nearest = math.floor(exact + 0.5)
        if start > 0:
            nearest = max(nearest, math.ceil(self._indices[start]))
        if stop < len(self._indices):
            nearest = min(nearest, math.ceil(self._indices[stop]) - 1)
        return nearest

    def _extended(self, at: int, index: float) -> float:
        return self._times[at] + (index - self._indices[at]) * self._periods[at]

    def _epoch_of(self, time_s: float) -> tuple[int, int]:
        """Return the anchors of the epoch that a time lies in or nearest to, as a range."""
        n_anchors = len(self._indices)
        starts = [at for at in self._epochs if at < n_anchors]
        if not starts:
            raise IndexError("no stamp was received yet")
        best, least_s = (starts[-1], n_anchors), math.inf
        for start, stop in zip(reversed(starts), [n_anchors, *reversed(starts[1:])], strict=True):
            if stop == n_anchors:
                ends_s = self._times[-1] + AHEAD_S
            else:
                ends_s = self._extended(stop - 1, self._indices[stop])
            away_s = max(self._times[start] - self._periods[start] - time_s, time_s - ends_s, 0.0)
            if away_s < least_s:
                best, least_s = (start, stop), away_s
        return best
