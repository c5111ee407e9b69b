"""One profile of one decode thread: by turns traced and left alone, and over after its seconds.

Invariant: everything that is switched is switched by the decode thread itself, between two steps:
Python traces the thread that asks for it, and a trace that began inside a step would tell half of
it. Turns show what tracing costs, and the stages are told from decodes that nobody traced.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runtime.profiling.stages import StageRows

if TYPE_CHECKING:
    import cProfile
    from collections.abc import Callable, Mapping

    from runtime.wire.messages import Latency

TURN_S = 0.7
"""A turn: no whole part of the second in which health is told, which else were in one kind only."""


class ProfileRun:
    """What one profile looks at, while it does.

    ``tick``, ``add`` and ``end`` belong to the decode thread; any thread may ask to end.

    Args:
        seconds: how long it lasts at most.
        budgets_ms: of the stages.
        tracer: cProfile's, None to look at the stages only.
        ended: told once, on the decode thread, that it is over.
        now_s: a monotonic clock.
    """

    def __init__(
        self,
        seconds: float,
        *,
        budgets_ms: Mapping[str, float],
        tracer: cProfile.Profile | None,
        ended: Callable[[], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rows = StageRows(budgets_ms)
        self.tracer = tracer
        self.began_ns = time.time_ns()
        self.traced_s = 0.0
        self._ended = ended
        self._now_s = now_s
        self._began_s = self._turned_s = now_s()
        self._seconds = seconds
        self._turn_s = min(TURN_S, seconds / 4)
        self._is_traced = False
        self._is_asked_to_end = False
        self.lasted_s: float | None = None

    def left_s(self) -> float:
        """Return the seconds until it ends by itself."""
        return max(0.0, self._began_s + self._seconds - self._now_s())

    def ask_to_end(self) -> None:
        """Have it end before the next step; from any thread."""
        self._is_asked_to_end = True

    def tick(self) -> None:
        """Look at the clock: begin the next turn, or end."""
        now_s = self._now_s()
        if self._is_asked_to_end or now_s - self._began_s >= self._seconds:
            self.end()
        elif now_s - self._turned_s >= self._turn_s:
            if self._is_traced:
                self._leave()
            elif self.tracer is not None:
                self._is_traced = True
                self.tracer.enable()
            self._turned_s = now_s

    def add(self, latency: Latency) -> None:
        """Take one decode."""
        self.rows.add(latency, is_traced=self._is_traced)

    def end(self) -> None:
        """End it, unless it has ended."""
        if self.lasted_s is not None:
            return
        self._leave()
        self.lasted_s = self._now_s() - self._began_s
        self._ended()

    def _leave(self) -> None:
        if self._is_traced and self.tracer is not None:
            self.tracer.disable()
            self.traced_s += self._now_s() - self._turned_s
            self._is_traced = False
