"""Live EEG over Lab Streaming Layer, with markers from a second stream.

Raw stamps go to the timeline, which finds gaps; the clock offset is kept apart and applied to what
is compared between clocks. Every sample that comes out of the inlet is counted; a stream that goes
away and returns goes on counting, with events between.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pylsl

from pipeline.errors import BundleError, StreamLost
from pipeline.timeline import Timeline
from pipeline.values import Batch, Event, Marker
from runtime.config_values import predicate
from runtime.lsl.inlet import NumericInlet, OutletWatch, RivalCount, resolve
from runtime.lsl.markers import LOOK_S, OFFSET_WITHIN_S, MarkerReader
from runtime.montage import Montage, make_montage
from runtime.source import SIMULATED, RawStream, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runtime.source import Tap

LAST_GULP_S = 0.02
LONGEST_GULP_S = 0.25
"""Samples are taken in gulps, few of them where few decodes are due: waking up costs more than the
work, the more so the more streams there are. What comes before the last gulp is filtered already.
"""


class LslSource:
    """One EEG stream and, if asked for, one marker stream.

    Args:
        query: field to value, or an XPath predicate: which EEG stream.
        markers: likewise for the marker stream; None for no markers.
        channels: the wanted channels in order; None for all.
        renamed: wanted channel to the stream's label.
        make_tap: gives what hears everything as it came, such as a recorder, once the stream is
            known.
        until_due: how many samples after the first ``n`` somebody waits for: it saves waking up for
            each.
    """

    def __init__(
        self,
        query: Mapping[str, str | int | float] | str,
        *,
        markers: Mapping[str, str | int | float] | str | None = None,
        channels: Sequence[str] | None = None,
        renamed: Mapping[str, str] | None = None,
        make_tap: Callable[[RawStream], Tap] | None = None,
        until_due: Callable[[int], int] = lambda _n_samples: 1,
    ) -> None:
        self._predicate = predicate(query if isinstance(query, str) else dict(query))
        self._wanted = channels
        self._renamed = renamed
        self._make_tap = make_tap
        self._until_due = until_due
        self._tap: Tap | None = None
        self._inlet: NumericInlet | None = None
        self._montage: Montage
        self._timeline: Timeline | None = None
        self._n_samples = 0
        self._waiting: deque[Event] = deque()
        self._has_samples = False  # since it was found
        self._watch: OutletWatch | None = None
        self._rivals: RivalCount | None = None
        self._raw: RawStream | None = None
        self._told: dict[str, float] = {}  # clock offsets told to the tap
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
                try:
                    return self._connect(found)
                except StreamLost:
                    pass  # it went away just now; it or another may come
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
        where, what = SIMULATED
        is_simulated = info.desc().child(where).child_value(what) == "true"
        self._say(
            "stream_found",
            rate_hz=inlet.rate_hz,
            n_channels=info.channel_count(),
            hostname=info.hostname(),
            **({"simulated": True} if is_simulated else {}),
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
        self._has_samples = False
        self._watch = OutletWatch(info.uid())
        self._rivals = RivalCount(self._predicate)
        self._attach_tap(raw)
        return StreamInfo(
            name=inlet.name,
            source_id=info.source_id(),
            rate_hz=inlet.rate_hz,
            channels=montage.channels,
            unit=inlet.units[0],
            uid=info.uid(),
            hostname=info.hostname(),
            is_simulated=is_simulated,
        )

    def _attach_tap(self, raw: RawStream) -> None:
        """Make the tap for the first outlet; keep it for others that look the same."""
        first, self._raw = self._raw, raw
        if first is None:
            self._tap = None if self._make_tap is None else self._make_tap(raw)
        elif self._tap is not None and (
            (first.channels, first.channel_format) != (raw.channels, raw.channel_format)
        ):
            self._tap = None
            self._say("recording_failed", reason="the stream came back with other channels")

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
            values, stamps = self._inlet.pull(timeout_s, self._gulp(self._inlet.rate_hz))
        except StreamLost:
            return self._lost()
        received_ns = round(pylsl.local_clock() * 1e9)
        watch, timeline = self._watch, self._timeline
        if watch is None or timeline is None:
            raise RuntimeError("pull before open")
        if not len(stamps):
            return self._lost() if watch.has_gone() else self._batch(self._no_samples, None, None)
        watch.heard()
        if self._tap is not None:
            self._tap.samples(values, stamps)
        samples = self._montage.apply(values)
        n_bad = timeline.n_bad_stamps
        self._waiting.extend(timeline.push(stamps))
        if timeline.n_bad_stamps and not n_bad:
            self._say("bad_stamps", n_samples=timeline.n_bad_stamps)
        self._has_samples = True
        stamp_ns = round((float(stamps[-1]) + (self._inlet.offset.seconds or 0.0)) * 1e9)
        return self._batch(samples, stamp_ns, received_ns)

    def _gulp(self, rate_hz: float) -> int:
        """Return how many samples to wait for."""
        n_due, n_last = self._until_due(self._n_samples), max(1, round(LAST_GULP_S * rate_hz))
        if n_due <= n_last:
            return n_due
        return min(n_due - n_last, round(LONGEST_GULP_S * rate_hz))

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
        self._tell_rivals()
        self._n_samples += len(samples)
        events = tuple(self._waiting)
        self._waiting.clear()
        markers = self._place_markers(received=len(samples) > 0)
        if self._tap is not None:
            self._tell_offsets(self._tap)
            for event in events:
                self._tap.event(event)
        if not (len(samples) or events or markers):
            return None
        return Batch(first, samples, markers, events, stamp_ns, received_ns)

    def _place_markers(self, *, received: bool, ended: bool = False) -> tuple[Marker, ...]:
        """Return the markers that can be placed now: those whose samples have come.

        Before that their place would be a guess: the samples may never come. Those of a time still
        ahead are placed nevertheless where the stream has ``ended``, or goes on without them.
        """
        if self._markers is None:
            return ()
        self._markers.hear()
        inlet, timeline = self._inlet, self._timeline
        if timeline is None or not (self._has_samples and self._markers.n_waiting):
            return ()
        offset_s = None if inlet is None else inlet.offset.seconds
        if offset_s is None and not ended and self._markers.waited_s < OFFSET_WITHIN_S:
            return ()
        half_s = 0.5 / timeline.rate_hz  # nearest to a sample that is there
        newest_s = timeline.time_at(timeline.n_received - 1)
        until_s = math.inf if ended else newest_s + half_s + (offset_s or 0.0)
        placed = []
        for raw, time_s in self._markers.take(until_s=until_s, goes_on=received):
            index = timeline.index_at(time_s - (offset_s or 0.0))
            marker = Marker(raw.text, index, self._n_samples)
            if index < 0:
                self._say("markers_early", n_markers=1)
                continue
            placed.append(marker)
            if self._tap is not None:
                self._tap.marker(marker, raw.stamp)
        return tuple(placed)

    def _tell_rivals(self) -> None:
        """Say, once they are counted, that several streams match, and which one is heard."""
        if self._rivals is not None and self._raw is not None:
            n_streams = self._rivals.take()
            if n_streams:
                raw = self._raw
                self._say(
                    "several_streams",
                    of="eeg",
                    n_streams=n_streams,
                    taken=raw.name,
                    source_id=raw.source_id,
                    hostname=raw.hostname,
                )
        if self._markers is not None:
            taken, n_streams = self._markers.rivals()
            if n_streams:
                self._say("several_streams", of="markers", n_streams=n_streams, taken=taken)

    def _tell_offsets(self, tap: Tap) -> None:
        eeg_s = None if self._inlet is None else self._inlet.offset.seconds
        markers_s = None if self._markers is None else self._markers.offset_s
        if eeg_s is not None and eeg_s != self._told.get("eeg"):
            self._told["eeg"] = eeg_s
            tap.clock_offset("eeg", pylsl.local_clock(), eeg_s)
        if markers_s is not None and markers_s != self._told.get("markers"):
            self._told["markers"] = markers_s
            tap.clock_offset("markers", pylsl.local_clock(), markers_s)

    def _lost(self) -> Batch | None:
        """Take that the outlet has gone: settle what is open, say so, begin to look for it."""
        if self._timeline is not None:
            self._waiting.extend(self._timeline.finish())
        markers = self._place_markers(received=False, ended=True)
        self._has_samples = False
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None
        batch = self._batch(self._no_samples, None, None)
        self._say("stream_lost")  # in the next batch: after the last markers
        if not markers:
            return batch
        nothing = Batch(self._n_samples, self._no_samples)
        return replace(batch or nothing, markers=markers)

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
        inlet, timeline = self._inlet, self._timeline
        offset_s = (inlet.offset.seconds or 0.0) if inlet is not None else 0.0
        if timeline is None:
            return offset_s
        try:
            return timeline.time_at(sample_index) + offset_s
        except IndexError:  # nothing was received yet
            return offset_s

    def close(self) -> None:
        """Disconnect from both streams; may be called twice."""
        if self._markers is not None:
            self._markers.stop()
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None
