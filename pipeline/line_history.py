"""What the line was where: index to time and back over the recent past."""

from __future__ import annotations

import math
from bisect import bisect_right


class LineHistory:
    """Anchors ``(index, time, period)``, ascending; between two, the earlier one's line holds.

    Where samples are missing the next anchor stands on the first sample after the gap. A new epoch
    begins where the clock may have been exchanged: times ascend only within an epoch.

    Args:
        n_anchors: how many are kept at least.
    """

    def __init__(self, n_anchors: float = 1 << 14) -> None:
        self._n_anchors = n_anchors
        self._epoch = 0  # position of the current epoch's first anchor
        self._indices: list[float] = []
        self._times: list[float] = []
        self._periods: list[float] = []

    def begin_epoch(self) -> None:
        """Begin anew; what lies before answers for its own indices only."""
        self._epoch = len(self._indices)

    def forget_from(self, index: float) -> None:
        """Take back the anchors at ``index`` and later."""
        while self._indices and self._indices[-1] >= index:
            for column in (self._indices, self._times, self._periods):
                column.pop()
        self._epoch = min(self._epoch, len(self._indices))

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
            self._epoch = max(0, self._epoch - n_old)

    def time_at(self, index: float) -> float:
        """Return the time of an index; outside the anchors the nearest line goes on.

        Raises:
            IndexError: there is no anchor.
        """
        at = max(0, bisect_right(self._indices, index) - 1)
        return self._times[at] + (index - self._indices[at]) * self._periods[at]

    def index_at(self, time_s: float) -> int:
        """Return the index of the sample nearest in time, within the current epoch.

        A time inside a gap goes to the nearer of its edges.

        Raises:
            IndexError: there is no anchor in this epoch.
        """
        at = max(self._epoch, bisect_right(self._times, time_s, lo=self._epoch) - 1)
        exact = self._indices[at] + (time_s - self._times[at]) / self._periods[at]
        if at + 1 < len(self._indices):
            edge = self._indices[at + 1] - 1
            if exact > edge:
                before_s = (exact - edge) * self._periods[at]
                after_s = self._times[at + 1] - time_s
                return math.floor(edge if before_s <= after_s else edge + 1)
        return math.floor(exact + 0.5)
