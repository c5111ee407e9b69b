"""Live EEG over Lab Streaming Layer, with markers from a second stream.

Raw stamps go to the timeline, which finds gaps; the clock offset is kept apart and applied to what
is compared between clocks. Every sample that comes out of the inlet is counted; a stream that goes
away and returns goes on counting, with events between.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import pylsl

from pipeline.errors import BundleError, StreamLost
from pipeline.timeline import Timeline
from pipeline.values import Batch, Event, Marker
from runtime.config_values import predicate
from runtime.lsl_inlet import MarkerInlet, NumericInlet, resolve
from runtime.montage import Montage, make_montage
from runtime.source import RawStream, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime.source import Tap

LOOK_S = 0.25
"""How long one look for a stream takes before other things get their turn."""

OFFSET_WITHIN_S = 5.0
"""How long a marker waits for the clocks to be compared; then the offset is taken as nothing."""

Query = "Mapping[str, str | int | float] | str"


class LslSource:
    """One EEG stream and, if asked for, one marker stream.

    Args:
        query: field to value, or an XPath predicate: which EEG stream.
        markers: likewise for the marker stream; None for no markers.
        channels: the wanted channels in order; None for all.
        renamed: wanted channel to the stream's label.
        make_tap: gives what hears everything as it came, such as a recorder, once the stream is
            known.
    """

    def __init__(
        self,
        query: Mapping[str, str | int | float] | str,
        *,
        markers: Mapping[str, str | int | float] | str | None = None,
        channels: Sequence[str] | None = None,
        renamed: Mapping[str, str] | None = None,
        make_tap: Callable[[RawStream], Tap] | None = None,
    ) -> None:
        self._predicate = predicate(query if isinstance(query, str) else dict(query))
        self._wanted = channels
        self._renamed = renamed
        self._make_tap = make_tap
        self._tap: Tap | None = None
        self._inlet: NumericInlet | None = None
        self._montage: Montage
        self._timeline: Timeline | None = None
        self._n_samples = 0
        self._waiting: deque[Event] = deque()
        self._line = (0, 0.0, 1.0)
        self._told_offset: float | None = None
        self._markers: MarkerReader | None = None
        if markers is not None:
            self._markers = MarkerReader(
                predicate(markers if isinstance(markers, str) else dict(markers))
            )

    def open(self, timeout_s: float | None) -> StreamInfo:
        """Find the stream, connect, and say what it is; see :class:`runtime.source.Source`.

        Raises:
            StreamLost: not found within ``timeout_s``.
            BundleError: no numbers, no regular rate, or a wanted channel is missing.
        """
        if self._markers is not None:
            self._markers.start()
        began_s = time.monotonic()
        while True:
            left_s = LOOK_S if timeout_s is None else timeout_s - (time.monotonic() - began_s)
            found = resolve(self._predicate, max(0.01, min(LOOK_S, left_s)))
            if found is not None:
                return self._connect(found)
            if timeout_s is not None and time.monotonic() - began_s >= timeout_s:
                raise StreamLost(
                    f"no LSL stream with {self._predicate} within {timeout_s:g} s, wanted one"
                )

    def _connect(self, found: pylsl.StreamInfo) -> StreamInfo:
        inlet = NumericInlet(found)
        try:
            montage = make_montage(
                inlet.labels, inlet.units, wanted=self._wanted, renamed=self._renamed
            )
        except ValueError as error:
            inlet.close()
            raise BundleError(f"{inlet.name}: {error}") from None
        self._inlet, self._montage = inlet, montage
        if self._timeline is None or self._timeline.rate_hz != inlet.rate_hz:
            self._timeline = Timeline(inlet.rate_hz)
        else:
            self._timeline.restart()
        info = inlet.info
        self._say(
            "stream_found",
            rate_hz=inlet.rate_hz,
            n_channels=info.channel_count(),
            hostname=info.hostname(),
        )
        if montage.assumed:
            self._say("unit_assumed", n_channels=len(montage.assumed), unit="microvolts")
        raw = RawStream(
            name=inlet.name,
            source_id=info.source_id(),
            rate_hz=inlet.rate_hz,
            channel_format=inlet.channel_format,
            channels=inlet.labels,
            unit=inlet.units[0],
            uid=info.uid(),
            hostname=info.hostname(),
            header=info.as_xml(),
        )
        if self._make_tap is not None and self._tap is None:
            self._tap = self._make_tap(raw)
        return StreamInfo(
            name=inlet.name,
            source_id=info.source_id(),
            rate_hz=inlet.rate_hz,
            channels=montage.channels,
            unit=inlet.units[0],
            uid=info.uid(),
            hostname=info.hostname(),
        )

    def _say(self, kind: str, **figures: int | float | str) -> None:
        self._waiting.append(Event(kind, self._n_samples, self._n_samples, dict(figures)))

    def pull(self, timeout_s: float) -> Batch | None:
        """Return what arrived; see :class:`runtime.source.Source`.

        Raises:
            BundleError: the stream came back with other channels.
        """
        if self._inlet is None:
            self._look_again(timeout_s)
            return self._batch(self._no_samples, None, None)
        try:
            values, stamps = self._inlet.pull(timeout_s)
        except StreamLost:
            return self._lost()
        received_ns = round(pylsl.local_clock() * 1e9)
        if not len(stamps):
            return self._batch(self._no_samples, None, None)
        if self._tap is not None:
            self._tap.samples(values, stamps)
        timeline = self._timeline
        if timeline is None:
            return None
        samples = self._montage.apply(values)
        events = timeline.push(stamps)
        newest = self._n_samples + len(samples) - 1
        self._line = (newest, timeline.time_at(newest), 1.0 / timeline.effective_rate_hz)
        stamp_ns = round((float(stamps[-1]) + (self._inlet.offset.seconds or 0.0)) * 1e9)
        self._waiting.extend(events)
        return self._batch(samples, stamp_ns, received_ns)

    @property
    def _no_samples(self) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.empty((0, len(self._montage.channels)), dtype=np.float32)

    def _batch(
        self,
        samples: np.ndarray[tuple[int, int], np.dtype[np.float32]],
        stamp_ns: int | None,
        received_ns: int | None,
    ) -> Batch | None:
        """Return samples with what is known by their end; None for nothing at all."""
        first = self._n_samples
        self._n_samples += len(samples)
        events = tuple(self._waiting)
        self._waiting.clear()
        markers = self._place_markers()
        if self._tap is not None:
            self._tell_offset(self._tap)
            for event in events:
                self._tap.event(event)
        if not (len(samples) or events or markers):
            return None
        return Batch(first, samples, markers, events, stamp_ns, received_ns)

    def _place_markers(self) -> tuple[Marker, ...]:
        """Return the markers that can be placed now: both clocks compared, a sample received."""
        inlet, timeline = self._inlet, self._timeline
        if self._markers is None or timeline is None or not timeline.n_received:
            return ()
        eeg_offset_s = None if inlet is None else inlet.offset.seconds
        placed = []
        for text, stamp, offset_s in self._markers.take(ready=eeg_offset_s is not None):
            index = max(0, timeline.index_at(stamp + offset_s - (eeg_offset_s or 0.0)))
            marker = Marker(text, index, self._n_samples)
            placed.append(marker)
            if self._tap is not None:
                self._tap.marker(marker, stamp)
        return tuple(placed)

    def _tell_offset(self, tap: Tap) -> None:
        offset_s = None if self._inlet is None else self._inlet.offset.seconds
        if offset_s is not None and offset_s != self._told_offset:
            self._told_offset = offset_s
            tap.clock_offset("eeg", pylsl.local_clock(), offset_s)

    def _lost(self) -> Batch | None:
        """Take that the outlet has gone: settle what is open, say so, begin to look for it."""
        if self._timeline is not None:
            self._waiting.extend(self._timeline.finish())
        self._say("stream_lost")
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None
        return self._batch(self._no_samples, None, None)

    def _look_again(self, timeout_s: float) -> None:
        found = resolve(self._predicate, max(0.01, timeout_s))
        if found is None:
            return
        channels, rate_hz = (
            self._montage.channels,
            self._timeline.rate_hz if self._timeline else 0.0,
        )
        try:
            info = self._connect(found)
        except StreamLost:
            return
        if info.channels != channels or info.rate_hz != rate_hz:
            raise BundleError(
                f"{info.name}: came back with {len(info.channels)} channels at {info.rate_hz:g} Hz,"
                f" wanted {len(channels)} at {rate_hz:g} Hz"
            )

    def lsl_time(self, sample_index: int) -> float:
        """Return LSL seconds of a sample on this host's clock; safe from any thread."""
        newest, time_s, period_s = self._line
        inlet = self._inlet
        offset_s = (inlet.offset.seconds or 0.0) if inlet is not None else 0.0
        return time_s + (sample_index - newest) * period_s + offset_s

    def close(self) -> None:
        """Disconnect from both streams; may be called twice."""
        if self._markers is not None:
            self._markers.stop()
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None


class MarkerReader:
    """Finds the marker stream on a thread of its own, for as long as it takes, again and again."""

    def __init__(self, wanted: str) -> None:
        self._predicate = wanted
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._inlet: MarkerInlet | None = None
        self._held: deque[tuple[str, float, float]] = deque()

    def start(self) -> None:
        """Begin to look; may be called twice."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lsl-markers", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            if self._inlet is None:
                found = resolve(self._predicate, LOOK_S)
                if found is not None and not self._stopping.is_set():
                    try:
                        self._inlet = MarkerInlet(found)
                    except StreamLost:
                        continue

    def take(self, *, ready: bool) -> list[tuple[str, float, float]]:
        """Return markers with raw stamp and clock offset, in order of arrival.

        They are held back until the clocks are compared (``ready`` says that the EEG's is).
        """
        inlet = self._inlet
        now_s = time.monotonic()
        if inlet is not None:
            try:
                arrived = inlet.pull()
            except StreamLost:
                inlet.close()
                self._inlet = None
                arrived = []
            self._held.extend((text, stamp, now_s) for text, stamp in arrived)
        offset_s = None if inlet is None else inlet.offset.seconds
        compared = ready and offset_s is not None
        taken = []
        while self._held and (compared or now_s - self._held[0][2] > OFFSET_WITHIN_S):
            text, stamp, _ = self._held.popleft()
            taken.append((text, stamp, offset_s or 0.0))
        return taken

    def stop(self) -> None:
        """End the thread and disconnect."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None
