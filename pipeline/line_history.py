"""What the line was where: index to time and back over the recent past."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

Anchor = tuple[float, float, float]
"""Index, time in seconds, period in seconds."""

AHEAD_S = 10.0
"""How far ahead of its newest anchor the newest epoch is still taken to hold."""


class LineHistory:
    """Anchors ``(index, time, period)``, ascending; between two, the earlier one's line holds.

    Where samples are missing the next anchor stands on the first sample after the gap. A new epoch
    begins where the clock may have been exchanged: times ascend only within an epoch.

    One thread adds; :meth:`time_at` may be asked from any other meanwhile.

    Args:
        n_anchors: how many are kept at least.
    """

    def __init__(self, n_anchors: float = 1 << 14) -> None:
        self._n_anchors = n_anchors
        self._anchors: list[Anchor] = []
        self._epochs = [0]  # positions of the epochs' first anchors

    def begin_epoch(self) -> None:
        """Begin anew: the next anchor's time need not lie after the ones before."""
        if self._epochs[-1] != len(self._anchors):
            self._epochs.append(len(self._anchors))

    def forget_from(self, index: float) -> None:
        """Take back the anchors at ``index`` and later."""
        kept = bisect_left(self._anchors, index, key=_index)
        self._anchors = self._anchors[:kept]
        self._epochs = [at for at in self._epochs if at <= kept] or [0]

    def add(self, index: float, time_s: float, period_s: float) -> None:
        """Anchor the line at ``index``; one that is not later than the newest is left out."""
        anchors = self._anchors
        if anchors and index <= anchors[-1][0]:
            return
        anchors.append((index, time_s, period_s))
        if len(anchors) > 2 * self._n_anchors:
            n_old = len(anchors) // 2
            self._anchors = anchors[n_old:]
            self._epochs = sorted({max(0, at - n_old) for at in self._epochs})

    def time_at(self, index: float) -> float:
        """Return the time of an index; outside the anchors the nearest line goes on.

        Raises:
            IndexError: there is no anchor.
        """
        anchors = self._anchors
        return _extended(anchors[max(0, bisect_right(anchors, index, key=_index) - 1)], index)

    def index_at(self, time_s: float) -> int:
        """Return the index of the sample nearest in time.

        A time inside a gap goes to the nearer of its edges; one that several epochs know, to the
        latest of them, and one that none knows, to the nearest.

        Raises:
            IndexError: there is no anchor.
        """
        anchors = self._anchors
        start, stop = self._epoch_of(time_s)
        at = max(start, bisect_right(anchors, time_s, lo=start, hi=stop, key=_time) - 1)
        index, anchor_s, period_s = anchors[at]
        exact = index + (time_s - anchor_s) / period_s
        if at + 1 < stop:
            following, following_s, _ = anchors[at + 1]
            if exact > following - 1:
                before_s = (exact - following + 1) * period_s
                return math.floor(following - 1 if before_s <= following_s - time_s else following)
        nearest = math.floor(exact + 0.5)
        if start > 0:
            nearest = max(nearest, math.ceil(anchors[start][0]))
        if stop < len(anchors):
            nearest = min(nearest, math.ceil(anchors[stop][0]) - 1)
        return nearest

    def _epoch_of(self, time_s: float) -> tuple[int, int]:
        """Return the anchors of the epoch that a time lies in or nearest to, as a range."""
        anchors, n_anchors = self._anchors, len(self._anchors)
        starts = [at for at in self._epochs if at < n_anchors]
        if not starts:
            raise IndexError("no stamp was received yet")
        best, least_s = (starts[-1], n_anchors), math.inf
        for start, stop in zip(reversed(starts), [n_anchors, *reversed(starts[1:])], strict=True):
            if stop == n_anchors:
                ends_s = anchors[-1][1] + AHEAD_S
            else:
                ends_s = _extended(anchors[stop - 1], anchors[stop][0])
            _, begins_s, period_s = anchors[start]
            away_s = max(begins_s - period_s - time_s, time_s - ends_s, 0.0)
            if away_s < least_s:
                best, least_s = (start, stop), away_s
        return best


def _index(anchor: Anchor) -> float:
    return anchor[0]


def _time(anchor: Anchor) -> float:
    return anchor[1]


def _extended(anchor: Anchor, index: float) -> float:
    return anchor[1] + (index - anchor[0]) * anchor[2]
