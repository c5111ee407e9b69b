"""One stream's run from start to stop: what the chain says, told as messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.values import Event, Output, Text, Times
from runtime.transcript import Transcript, When
from runtime.wire.messages import Latency

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.engine import Engine
    from runtime.wire.messages import EventMessage, Final, Partial


@dataclass(frozen=True, slots=True)
class Arrival:
    """How long the newest sample of a decode took before the chain had it; None in replay."""

    transport_ms: float | None = None
    queue_ms: float | None = None
    began_ns: int = 0

    def latency(self, times: Times, *, now_ns: int) -> Latency:
        """Return the stages of a decode that ends now.

        ``publish`` is what passed since the chain was given the samples and is none of its stages:
        the hand-over.
        """
        inside_ms = (times.filter_ns + times.model_ns + times.decode_ns) / 1e6
        publish_ms = max(0.0, (now_ns - self.began_ns) / 1e6 - inside_ms)
        waited_ms = (self.transport_ms or 0.0) + (self.queue_ms or 0.0)
        return Latency(
            transport=self.transport_ms,
            queue=self.queue_ms,
            filter=times.filter_ns / 1e6,
            model=times.model_ns / 1e6,
            decode=times.decode_ns / 1e6,
            publish=publish_ms,
            total=waited_ms + inside_ms + publish_ms,
        )


class Session:
    """Composes messages in the order of the chain's outputs; one thread.

    Args:
        stream: the stream's configured name.
        session: the session's name; see :func:`runtime.transcript.new_session`.
        engine: gives confidence and the model's name.
        lsl_time: LSL seconds of a sample index, or None where there is no such clock.
        every_decode: a partial for every decode, changed or not.
        now_ns: the clock of :attr:`Arrival.began_ns`.
    """

    def __init__(
        self,
        *,
        stream: str,
        session: str,
        engine: Engine,
        lsl_time: Callable[[int], float] | None = None,
        every_decode: bool = False,
        now_ns: Callable[[], int],
    ) -> None:
        self.engine = engine
        self.transcript = Transcript(
            stream=stream, session=session, model=engine.model_name, every_decode=every_decode
        )
        self._lsl_time = lsl_time
        self._now_ns = now_ns

    def compose(self, output: Output, arrival: Arrival) -> Partial | Final | EventMessage | None:
        """Return the message of one output; None for a partial that says nothing new."""
        if isinstance(output, Event):
            return self.transcript.event(output)
        confidence = self.engine.confidence(output.raw_confidence, tainted=output.tainted)
        when = self._when(output, arrival)
        if output.kind == "partial":
            return self.transcript.partial(output, when=when, confidence=confidence)
        held = replace(output, delete=min(output.delete, self.transcript.length))
        return self.transcript.final(held, when=when, confidence=confidence)

    def _when(self, text: Text, arrival: Arrival) -> When:
        latency = arrival.latency(text.times, now_ns=self._now_ns())
        if self._lsl_time is None:
            return When(None, None, latency)
        first, stop = text.samples
        return When(self._lsl_time(first), self._lsl_time(stop), latency)
