"""One configured stream inside the daemon: its threads, its messages, its health."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import structlog

from pipeline.markers import PAUSE, RESUME
from pipeline.spec import SelectionDecoder
from pipeline.values import Event
from runtime.config_values import predicate
from runtime.latency import LatencyMonitor, spread
from runtime.live import Decoded, LiveStream
from runtime.profiling.stream_profiler import StreamProfiler
from runtime.quality import channel_quality
from runtime.session import Session
from runtime.wire.messages import (
    Counters,
    Final,
    Health,
    Latency,
    Quality,
    Rates,
    State,
)
from runtime.wire.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from pipeline.values import Output
    from runtime.config import Budget, Profile, Stream
    from runtime.engine import Engine
    from runtime.journal import Journal
    from runtime.journal_store import Entry
    from runtime.session import Arrival
    from runtime.source import Source, StreamInfo
    from runtime.wire.publisher import Publisher

QUALITY_S = 2.0
BAD_STATES = frozenset({"flat", "clipped", "missing"})
"""States of a channel that are an event; a noisy one may be so every other second."""

BACKLOG_S = 0.5
"""Behind by more than this is told as ``backlog``, and as over once it is halved."""

log = structlog.get_logger()


class StreamService:
    """Runs one stream; every method on the event loop's thread but where it says otherwise.

    What the decode thread made is told by that thread: to wake another first would cost more than
    telling it. ``_voice`` keeps the two threads' messages, their numbers and counters in order.

    Args:
        settings: the stream's table of the configuration.
        engine: what decodes it.
        source: where its samples come from, not yet opened.
        session: name of this run of the daemon.
        journal: takes the finals.
        publisher: sends the messages.
        budget: of a decode.
        profile: where profiles are written, and how long they last.
        every_decode: a partial for every decode.
        check_fit: raises where a found stream does not fit the engine.
        on_input: told of events that did not come from the source, and how many markers came
            before (the recorder wants them); called from the decode thread.
        on_text: told of finals; called from the decode thread.
        turns: see :class:`runtime.live.LiveStream`.
    """

    def __init__(
        self,
        settings: Stream,
        *,
        engine: Engine,
        source: Source,
        session: str,
        journal: Journal,
        publisher: Publisher,
        budget: Budget,
        profile: Profile,
        every_decode: bool,
        check_fit: Callable[[Engine, StreamInfo], None],
        on_input: Callable[[Event, int], None],
        on_text: Callable[[Final], None],
        turns: AbstractContextManager[object] | None = None,
    ) -> None:
        self.settings = settings
        self.engine = engine
        self._loop = asyncio.get_running_loop()
        self._publisher = publisher
        self._on_text = on_text
        chain = engine.chain(
            every_decode=every_decode,
            marker_names={settings.pause_marker: PAUSE, settings.resume_marker: RESUME},
            stopwatch_ns=time.perf_counter_ns,
        )
        self.live = LiveStream(
            source,
            chain,
            fits=lambda info: check_fit(engine, info),
            post=self._handle,
            ring_s=settings.history_s,
            on_input=lambda event: on_input(event, chain.n_markers),
            turns=turns,
        )
        self.session = Session(
            stream=settings.name,
            session=session,
            engine=engine,
            lsl_time=source.lsl_time,
            every_decode=every_decode,
            now_ns=time.perf_counter_ns,
        )
        self.outbox = Outbox(
            publisher.send, journal, form=publisher.form, failed=self._journal_failed
        )
        self._voice = threading.RLock()
        self._latency = LatencyMonitor(budget.by_stage())
        self.profiler = StreamProfiler(
            stream=settings.name,
            session=session,
            live=self.live,
            settings=profile,
            budget=budget,
            tell=self.tell,
        )
        self._n_events: Counter[str] = Counter()
        self._is_behind = False
        self._bad_channels: set[str] = set()
        self._lost = False
        self._ended = False
        self._stopping = False
        self._announced: State | None = None
        self._before = (time.monotonic(), 0, 0)
        self.newest_health: Health | None = None

    async def run(self, threads: Executor) -> None:
        """Run both threads to their end, then wait until the last final is published.

        Raises:
            EegscribeError: the stream was not found in time, or does not fit.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._in_thread(threads, self._read))
                group.create_task(self._in_thread(threads, self._decode))
        finally:
            self.live.stop()
        await self.profiler.finished()
        await self.outbox.drained()
        self._ended = True

    def stop(self) -> None:
        """End the stream cleanly: everything received is decoded and published."""
        self._stopping = True
        self.live.stop()

    def beat_s(self) -> float:
        """Return when the slower of the two threads last moved (monotonic seconds)."""
        return min(self.live.reader_beat_s, self.live.decode_beat_s)

    async def _in_thread(self, threads: Executor, work: Callable[[], None]) -> None:
        try:
            await self._loop.run_in_executor(threads, work)
        finally:
            self.live.stop()

    def _read(self) -> None:
        self.live.read_forever(self.settings.resolve_timeout_s)

    def _decode(self) -> None:
        try:
            self.live.decode_forever()
        finally:
            self.profiler.leave()

    def _handle(self, decoded: Decoded) -> None:
        """Tell what a step of the decode thread gave; called from that thread."""
        with self._voice:
            for output in decoded.outputs:
                self._tell_output(output, decoded.arrival)
            if decoded.times is not None:  # now that its messages are on their way
                self._measure(decoded.arrival.latency(decoded.times, now_ns=time.perf_counter_ns()))
            self._watch_backlog()

    def _tell_output(self, output: Output, arrival: Arrival) -> None:
        """Publish one output of the chain."""
        if isinstance(output, Event):
            self._note(output)
        message = self.session.compose(output, arrival)
        if message is None:
            return
        self.outbox.put(message)
        if isinstance(message, Final):
            log.debug("final", stream=self.settings.name, seq=message.seq)
            self._on_text(message)

    def _measure(self, latency: Latency) -> None:
        if (run := self.profiler.run) is not None:
            run.add(latency)
        if self._latency.add(latency):
            self.tell("late", self.live.chain.n_samples, total_ms=latency.total)

    def _watch_backlog(self) -> None:
        behind_s = self.live.n_behind / self.engine.spec.rate_hz
        if not self._is_behind and behind_s > BACKLOG_S:
            self._is_behind = True
            self.tell("backlog", self.live.chain.n_samples, behind_s=round(behind_s, 3), over=False)
        elif self._is_behind and behind_s < BACKLOG_S / 2:
            self._is_behind = False
            self.tell("backlog", self.live.chain.n_samples, behind_s=round(behind_s, 3), over=True)

    def tell(self, kind: str, sample: int, **figures: float | str | None) -> None:
        """Publish an event of the daemon's own."""
        self._publish_event(Event(kind, sample, sample, dict(figures)))

    def hear(self, event: Event) -> None:
        """Publish an event of another thread, such as the recorder's; called from any."""
        if not self._ended:
            self._publish_event(event)

    def _publish_event(self, event: Event) -> None:
        with self._voice:
            self._note(event)
            self.outbox.put(self.session.transcript.event(event))

    def _note(self, event: Event) -> None:
        """Count and log an event; its figures may hold text and stay out of the log."""
        self._n_events[event.kind] += 1
        if event.kind == "stream_lost":
            self._lost = True
        elif event.kind == "stream_found":
            self._lost = False
        if event.kind == "late" and self._n_events["late"] > 10:
            return  # the counter goes on; a log line for each would only make it later
        log.info("event", stream=self.settings.name, kind=event.kind, sample=event.sample)

    def _journal_failed(self, entry: Entry, error: BaseException) -> None:
        log.error("journal_failed", stream=entry.stream, seq=entry.seq, error=str(error))
        self.tell("journal_failed", self.live.chain.n_samples, final_seq=entry.seq)

    def publish_health(self) -> None:
        """Publish how the stream is; called every second."""
        state, reason = self._state()
        self._announce(state, reason)
        live, chain = self.live, self.live.chain
        now_s = time.monotonic()
        then_s, n_samples, n_decodes = self._before
        elapsed_s = max(now_s - then_s, 1e-6)
        self._before = (now_s, live.ring.n_written, live.n_decodes)
        info = live.info
        rate_hz = self.engine.spec.rate_hz
        quality = self._quality()
        if live.ring.n_written >= rate_hz:
            self._tell_bad_channels(quality)
        latency_ms = self._latency.spreads()
        latency_ms["journal"] = spread(np.array(self.outbox.journal_ms))
        counters = Counters(
            samples_received=live.ring.n_written,
            samples_lost=live.n_lost,
            samples_overrun=live.n_overrun,
            markers_received=live.n_markers,
            decodes_late=self._latency.n_late,
            messages_published=self.outbox.n_published,
            subscribers_overrun=self._publisher.n_overrun,
            finals=self.session.transcript.n_finals,
            **chain.counters,
        )
        with self._voice:
            health = self.session.transcript.health(
                state=state,
                reason=reason,
                rates=Rates(
                    nominal_hz=None if info is None else info.rate_hz,
                    received_hz=(live.ring.n_written - n_samples) / elapsed_s,
                    decodes_hz=(live.n_decodes - n_decodes) / elapsed_s,
                ),
                buffer_fill=min(1.0, live.n_behind / live.ring.capacity),
                lag_ms=None if info is None else 1000.0 * live.n_behind / rate_hz,
                latency_ms=latency_ms,
                over_budget=self._latency.over_budget,
                quality=quality,
                counters=counters,
            )
            self.newest_health = health
            self.outbox.put(health)

    def _announce(self, state: State, reason: str | None) -> None:
        """Tell once that there is no stream yet, or that it is silent, and when it no longer is."""
        if state == self._announced or (state == "waiting" and self.live.info is not None):
            return  # a stream that went away was told as such
        if self._announced == "silent":
            self.tell("stream_silent", self.live.chain.n_samples, over=True)
        self._announced = None
        if state in ("waiting", "silent"):
            self._announced = state
            kind = "no_stream" if state == "waiting" else "stream_silent"
            figures = {} if state == "waiting" else {"over": False}
            self.tell(kind, self.live.chain.n_samples, reason=reason, **figures)
            log.info(state, stream=self.settings.name, reason=reason)

    def _tell_bad_channels(self, quality: tuple[Quality, ...]) -> None:
        """Say which channels went bad since the last second, and which are good again."""
        bad = {one.channel: one.state for one in quality if one.state in BAD_STATES}
        for channel in sorted(bad.keys() - self._bad_channels):
            self._tell_channel(channel, bad[channel], over=False)
        for channel in sorted(self._bad_channels - bad.keys()):
            self._tell_channel(channel, "good", over=True)
        self._bad_channels = set(bad)

    def _tell_channel(self, channel: str, state: str, *, over: bool) -> None:
        sample = self.live.chain.n_samples
        self.tell("bad_channel", sample, channel=channel, state=state, over=over)

    def _quality(self) -> tuple[Quality, ...]:
        ring, spec = self.live.ring, self.engine.spec
        n_samples = min(round(QUALITY_S * spec.rate_hz), ring.n_written, ring.capacity // 2)
        try:
            newest = ring.view(ring.n_written - n_samples, n_samples).copy()
        except IndexError:
            return ()  # overwritten while it was asked for; next second
        return channel_quality(newest, channels=spec.channels, rate_hz=spec.rate_hz)

    def _state(self) -> tuple[State, str | None]:
        """Return the state, and in plain words why nothing is decoded when nothing is."""
        live, settings = self.live, self.settings
        if self._stopping:
            return "stopping", "the daemon is about to stop"
        if live.info is None:
            wanted = predicate(settings.lsl)
            return "waiting", f"no LSL stream with {wanted} is found; is the headset's software on?"
        if self._lost:
            return "waiting", f"the stream {live.info.name!r} went away; waiting for it to return"
        heard_s = max(live.last_sample_s or 0.0, live.found_s or 0.0)
        if time.monotonic() - heard_s > settings.silent_s:
            return "silent", f"the stream {live.info.name!r} is connected and sends no samples"
        if live.chain.is_paused:
            return "paused", "paused on request; nothing is heard until it is resumed"
        counters = live.chain.counters
        if counters["windows_decoded"] == 0 and counters["windows_due"] == 0:
            if isinstance(live.chain.spec.decoder, SelectionDecoder):
                return "idle", "no stimulus marker has come yet; is the marker stream on?"
            return "filling", "the first window is not full yet"
        is_spelling = isinstance(live.chain.spec.decoder, SelectionDecoder)
        if is_spelling and counters["windows_pending"] == 0:
            return "idle", "no stimulus is waiting to be decoded"
        return "decoding", None
