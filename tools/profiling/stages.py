"""A stopwatch that is always at exactly one stage: what it counted adds up to what passed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Stage = Literal["filter", "model", "decode", "publish", "other", "read", "profiler"]

OF_A_HOP: tuple[Stage, ...] = ("filter", "model", "decode", "publish", "other")
"""What the daemon does between samples and message; ``other`` is the chain's own bookkeeping."""

STAGES: tuple[Stage, ...] = (*OF_A_HOP, "read", "profiler")
"""And what a replay does besides: read the recording, and keep the figures of a profile."""


class StageClock:
    """Nanoseconds by stage since :meth:`start`."""

    def __init__(self, *, now_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._now_ns = now_ns
        self.start("other")

    def start(self, stage: Stage) -> None:
        """Forget what was counted; it is at ``stage`` now."""
        self.spent_ns: dict[Stage, int] = dict.fromkeys(STAGES, 0)
        self._stage = stage
        self._since_ns = self._now_ns()

    def enter(self, stage: Stage) -> Stage:
        """End the stage before; return which it was."""
        now_ns = self._now_ns()
        before = self._stage
        self.spent_ns[before] += now_ns - self._since_ns
        self._stage, self._since_ns = stage, now_ns
        return before

    def hop_ns(self) -> tuple[int, ...]:
        """Return what the stages of hops took so far, in the order of :data:`OF_A_HOP`."""
        return tuple(self.spent_ns[stage] for stage in OF_A_HOP)
