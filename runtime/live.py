"""One live stream: a reader thread that never waits, and a decode thread that runs the chain.

Invariant: samples pass through the ring and everything else through one queue of tickets, in the
    order
of arrival; a ticket is put after its samples are written and before the next are. The decode thread
therefore knows every marker and event before it sees a sample that came after it. Samples it
was too slow for are replaced by held ones, so that indices stay true, and told as ``overrun``.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import StreamLost
from pipeline.ring import Ring, RingReader
from pipeline.values import Event, Output, Times
from runtime.session import Arrival

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pipeline.chain import Chain
    from pipeline.values import Batch, Marker
    from runtime.source import Source, StreamInfo

IDLE_S = 0.2
"""How often a thread with nothing to do shows that it lives."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one step of the decode thread gave."""

    outputs: tuple[Output, ...]
    arrival: Arrival
    times: Times | None
    """The stages of the last decode; None where nothing was decoded."""


@dataclass(frozen=True, slots=True)
class _Ticket:
    stop: int
    markers: tuple[Marker, ...]
    events: tuple[Event, ...]
    transport_ms: float | None
    received_ns: int


class LiveStream:
    """The two threads of one stream, to be run by whoever owns them.

    What is put into ``between_steps``, by any thread, the decode thread calls before each step, and
    every ``IDLE_S`` without one.

    Args:
        source: not yet opened; used by the reader thread alone, but for ``lsl_time``.
        chain: run by the decode thread alone.
        fits: called with what was found before anything is read; raises where it does not fit.
        post: called from the decode thread with what a step gave.
        ring_s: how far the decode thread may fall behind.
        on_input: told, on the decode thread, of events that did not come from the source.
        turns: held during a step of the decode thread. Where streams share it, only so many decode
            at once; else each would wait for the interpreter behind all others, at every step.
    """

    def __init__(
        self,
        source: Source,
        chain: Chain,
        *,
        fits: Callable[[StreamInfo], None],
        post: Callable[[Decoded], None],
        ring_s: float,
        on_input: Callable[[Event], None] = lambda _event: None,
        turns: AbstractContextManager[object] | None = None,
    ) -> None:
        spec = chain.spec
        self._source = source
        self._chain = chain
        self._fits = fits
        self._post = post
        self._on_input = on_input
        self._turns = turns or nullcontext()
        n_channels = len(spec.channels)
        self.ring = Ring(round(ring_s * spec.rate_hz), n_channels)
        self._reader = RingReader(self.ring, n_channels=n_channels)
        self._tickets: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self.between_steps: Callable[[], None] | None = None
        self.info: StreamInfo | None = None
        self.reader_beat_s = self.decode_beat_s = time.monotonic()
        self.found_s: float | None = None
        self.last_sample_s: float | None = None
        self.n_markers = 0
        self.n_overrun = 0
        self.n_lost = 0
        self.n_decodes = 0

    @property
    def chain(self) -> Chain:
        """The chain; read its counters only."""
        return self._chain

    @property
    def n_behind(self) -> int:
        """Samples written and not yet taken by the decode thread."""
        return self.ring.n_written - self._reader.position

    def stop(self) -> None:
        """Ask both threads to end: the reader at once, the decoder after all that was read."""
        self._stopping.set()

    def inject(self, kind: str, by: str) -> None:
        """Hand the chain an event that is no sample's, such as ``pause``; from any thread."""
        event = Event(kind, -1, -1, {"by": by})
        self._tickets.put(_Ticket(-1, (), (event,), None, time.monotonic_ns()))

    def read_forever(self, resolve_timeout_s: float | None) -> None:
        """Run the reader thread: find the stream, then write what it gives into the ring.

        Raises:
            StreamLost: not found within ``resolve_timeout_s``.
            BundleError: the stream does not fit the bundle.
        """
        try:
            if self._open(resolve_timeout_s):
                while not self._stopping.is_set():
                    self.reader_beat_s = time.monotonic()
                    batch = self._source.pull(IDLE_S)
                    if batch is not None:
                        self._take(batch)
        finally:
            self._tickets.put(None)
            self._source.close()

    def _open(self, resolve_timeout_s: float | None) -> bool:
        began_s = time.monotonic()
        while not self._stopping.is_set():
            self.reader_beat_s = time.monotonic()
            try:
                info = self._source.open(1.0)
            except StreamLost:
                waited_s = time.monotonic() - began_s
                if resolve_timeout_s is not None and waited_s >= resolve_timeout_s:
                    raise
            else:
                self._fits(info)
                self.found_s = time.monotonic()
                self.info = info
                return True
        return False

    def _take(self, batch: Batch) -> None:
        received_ns = time.monotonic_ns()
        self.ring.write(batch.samples)
        transport_ms = None
        if batch.stamp_ns is not None and batch.received_ns is not None:
            transport_ms = (batch.received_ns - batch.stamp_ns) / 1e6
        if len(batch.samples):
            self.last_sample_s = time.monotonic()
        self.n_markers += len(batch.markers)
        self._tickets.put(
            _Ticket(self.ring.n_written, batch.markers, batch.events, transport_ms, received_ns)
        )

    def decode_forever(self) -> None:
        """Run the decode thread until the reader has ended and everything read is decoded."""
        while True:
            self.decode_beat_s = time.monotonic()
            if (work := self.between_steps) is not None:
                work()
            try:
                ticket = self._tickets.get(timeout=IDLE_S)
            except queue.Empty:
                continue
            if ticket is None:
                break
            with self._turns:
                self._decode(ticket)
        outputs = self._chain.finish()
        self._post(Decoded(tuple(outputs), Arrival(began_ns=time.perf_counter_ns()), None))

    def _decode(self, ticket: _Ticket) -> None:
        began_ns = time.perf_counter_ns()
        queue_ms = (time.monotonic_ns() - ticket.received_ns) / 1e6
        arrival = Arrival(ticket.transport_ms, queue_ms, began_ns)
        n_decoded = self._chain.n_decoded
        outputs: list[Output] = []
        events = ticket.events and tuple(self._place(event) for event in ticket.events)
        while self._reader.position < ticket.stop:
            samples, n_lost = self._reader.read(ticket.stop - self._reader.position)
            if n_lost:
                outputs += self._overrun(n_lost)
            if self._reader.position < ticket.stop:
                outputs += self._chain.push(samples)
            else:
                outputs += self._chain.push(samples, ticket.markers, events)
                break
        else:
            outputs += self._chain.push(self._nothing, ticket.markers, events)
        for event in events:
            if event.kind == "gap":
                self.n_lost += int(event.figures.get("n_samples") or 0)
        decoded = self._chain.n_decoded - n_decoded
        self.n_decodes += decoded
        if outputs or decoded:
            times = self._chain.last_times if decoded else None
            self._post(Decoded(tuple(outputs), arrival, times))

    @property
    def _nothing(self) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.empty((0, len(self._chain.spec.channels)), dtype=np.float32)

    def _place(self, event: Event) -> Event:
        """Give an injected event its place: where the chain is now."""
        if event.sample >= 0:
            return event
        placed = Event(event.kind, self._chain.n_samples, self._chain.n_samples, event.figures)
        self._on_input(placed)
        return placed

    def _overrun(self, n_lost: int) -> list[Output]:
        """Keep indices true after an overrun: what was lost becomes held samples, tainted."""
        self.n_overrun += n_lost
        first = self._chain.n_samples
        event = Event("overrun", first, first, {"n_samples": n_lost})
        self._on_input(event)
        held = np.full((n_lost, len(self._chain.spec.channels)), np.nan, dtype=np.float32)
        return self._chain.push(held, (), (event,))
