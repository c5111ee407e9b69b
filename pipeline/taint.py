"""Which stretches of the sample axis cannot be trusted: held values, gaps, reconnections."""

from __future__ import annotations

from collections import deque


class TaintedSpans:
    """Half-open spans of samples, forgotten once they are older than ``memory_samples``."""

    def __init__(self, memory_samples: int) -> None:
        self._memory = memory_samples
        self._spans: deque[tuple[int, int]] = deque()
        self._newest = 0

    def add(self, start: int, stop: int) -> None:
        """Mark samples ``start .. stop``."""
        if self._spans and self._spans[-1][0] <= start <= self._spans[-1][1]:
            start, previous_stop = self._spans.pop()
            stop = max(stop, previous_stop)
        self._spans.append((start, stop))
        self._newest = max(self._newest, stop)
        while self._spans and self._spans[0][1] < self._newest - self._memory:
            self._spans.popleft()

    def overlap(self, start: int, stop: int) -> bool:
        """Say whether any sample of ``start .. stop`` is marked."""
        return any(first < stop and start < last for first, last in self._spans)
