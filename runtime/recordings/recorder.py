"""Records what arrived, so that a live session can be replayed to the letter.

One XDF file per session: the EEG as it came (all channels, its own format, raw stamps), the
markers as they came, the clock offsets, the decoded texts (stream ``<name>-text``), and
``eegscribe-inputs``: a JSON string per marker and event as the chain took it, with ``index`` and
``known_at``, after one of what a replay needs of the configuration. Samples count from the first
received, so the nth recorded sample is sample n, but for those dropped, which are told.

Several may be known at one sample. The chain takes a batch's events before its markers, and what
did not come from the source (a pause, an overrun) wherever it then is; so each entry also says how
many markers came before it, ``after_markers``: the order of the file alone would not tell.

The reader thread only copies into a bounded queue; a thread of the recorder's own writes.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from pipeline.errors import RecordingError
from pipeline.values import Event, Marker
from runtime.recordings.xdf_writer import XdfWriter, stream_header

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from runtime.recordings.raw import RecordedRun
    from runtime.source import RawStream

INPUTS_STREAM = "eegscribe-inputs"
INPUTS_TYPE = "eegscribe"

Job = Callable[[], None]


class Recorder:
    """Writes one session's file. Every method but :meth:`close` returns at once, from any thread.

    ``on_event`` hears of drops (``recorder_dropped``: the queue was full) and of the end of
    recording by a failing disk (``recording_failed``); it is called from the thread that noticed.

    Args:
        path: the file, created with mode 0600; its folder is made with mode 0700.
        stream: what the EEG stream says of itself.
        marker_stream: name of the marker stream.
        on_event: see above.
        clock: seconds of the LSL clock.
        queue_size: entries that may wait; about one per pull of the source.

    Raises:
        RecordingError: the file exists already or cannot be made.
    """

    def __init__(
        self,
        path: Path,
        stream: RawStream,
        *,
        marker_stream: str = "markers",
        on_event: Callable[[Event], None] = lambda _event: None,
        clock: Callable[[], float] = time.monotonic,
        queue_size: int = 1024,
    ) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.n_samples_dropped = 0
        self.n_entries_dropped = 0
        self.failure: str | None = None
        self._n_samples = 0
        self._n_markers = self._n_markers_before = 0  # in all; in the batches before this one
        self._on_event = on_event
        self._clock = clock
        self._gate = threading.Lock()  # what enters the queue enters in order, drops told first
        self._untold_first = self._untold_samples = 0
        self._writer = XdfWriter(path)
        self._eeg, self._markers, self._inputs, self._texts = _add_streams(
            self._writer, stream, marker_stream
        )
        self._queue: queue.Queue[Job | None] = queue.Queue(queue_size)
        self._thread = threading.Thread(target=self._run, name="eegscribe-recorder", daemon=True)
        self._thread.start()

    def run(self, run: RecordedRun) -> None:
        """Record what a replay needs of the configuration."""
        self._string(self._inputs, json.dumps({"run": asdict(run)}, ensure_ascii=False))

    def samples(self, values: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        """Record samples ``(n_samples, n_channels)`` in the stream's format; copies both."""
        n_new = len(stamps)
        first, self._n_samples = self._n_samples, self._n_samples + n_new
        held, held_stamps = values.copy(), stamps.copy()
        if not self._put(lambda: self._writer.write_samples(self._eeg, held, held_stamps)):
            with self._gate:
                if not self._untold_samples:
                    self._untold_first = first
                self._untold_samples += n_new
                self.n_samples_dropped += n_new
            figures: dict[str, Any] = {"n_samples": n_new, "total": self.n_samples_dropped}
            self._on_event(Event("recorder_dropped", first, first + n_new, figures))

    def marker(self, marker: Marker, stamp: float) -> None:
        """Record a marker as it came (``stamp``: its own raw stamp) and as the chain takes it."""
        entry = _entry("marker", marker, after_markers=self._n_markers)
        self._n_markers += 1
        now = self._clock()

        def write() -> None:
            self._writer.write_strings(self._markers, [marker.text], [stamp])
            self._writer.write_strings(self._inputs, [entry], [now])

        self._put(write)

    def event(self, event: Event) -> None:
        """Record an event of the source: the chain takes it before the markers of its batch."""
        self.event_beside(event, after_markers=self._n_markers_before)

    def end_batch(self) -> None:
        """Take that what the source tells from now on belongs to its next batch."""
        self._n_markers_before = self._n_markers

    def event_beside(self, event: Event, *, after_markers: int) -> None:
        """Record an event that reached the chain, not by the source, after so many markers."""
        self._string(self._inputs, _entry("event", event, after_markers=after_markers))

    def text(self, message: str) -> None:
        """Record a published text message."""
        self._string(self._texts, message)

    def clock_offset(self, of: Literal["eeg", "markers"], time_s: float, offset_s: float) -> None:
        """Record what LSL says is to be added to a stream's stamps at local ``time_s``."""
        # XDF wants the time on the stream's own clock, the value towards the recorder's.
        stream_id = self._eeg if of == "eeg" else self._markers
        self._put(lambda: self._writer.write_clock_offset(stream_id, time_s - offset_s, offset_s))

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits and the footers; on time-out give up and say so in ``failure``."""
        if not self._thread.is_alive():
            return
        with self._gate:
            told = self._drop_entry() if self._untold_samples else None
        try:
            if told is not None:
                self._queue.put(told, timeout=timeout_s)
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            self.failure = f"{self._writer.path}: the disk takes nothing, given up"
            return
        self._thread.join(timeout_s)

    def _string(self, stream_id: int, text: str) -> None:
        now = self._clock()
        self._put(lambda: self._writer.write_strings(stream_id, [text], [now]))

    def _put(self, job: Job) -> bool:
        with self._gate:
            if self.failure is not None:
                return True  # the end was told once; nothing more is counted
            try:
                if self._untold_samples:
                    self._queue.put_nowait(self._drop_entry())
                    self._untold_samples = 0
                self._queue.put_nowait(job)
            except queue.Full:
                self.n_entries_dropped += 1
                return False
            return True

    def _drop_entry(self) -> Job:
        """Tell in the recording which samples are missing, before what follows them."""
        lost = {"first": self._untold_first, "n_samples": self._untold_samples}
        entry = json.dumps({"dropped": lost})
        now = self._clock()
        return lambda: self._writer.write_strings(self._inputs, [entry], [now])

    def _run(self) -> None:
        try:
            while (job := self._queue.get()) is not None:
                job()
            self._writer.close()
        except RecordingError as error:
            self.failure = str(error)
            n_samples = self._n_samples
            self._on_event(
                Event("recording_failed", n_samples, n_samples, {"reason": self.failure})
            )
            while self._queue.get() is not None:  # so that close() finds room
                pass


def _entry(kind: str, given: Marker | Event, *, after_markers: int) -> str:
    entry = {kind: asdict(given), "after_markers": after_markers}
    return json.dumps(entry, ensure_ascii=False)


def _add_streams(
    writer: XdfWriter, stream: RawStream, marker_stream: str
) -> tuple[int, int, int, int]:
    n_channels = len(stream.channels)
    header = stream.header or stream_header(
        name=stream.name,
        kind="EEG",
        rate_hz=stream.rate_hz,
        channel_format=stream.channel_format,
        channels=stream.channels,
        unit=stream.unit,
        source_id=stream.source_id,
        uid=stream.uid,
        hostname=stream.hostname,
    )
    eeg = writer.add_stream(header, channel_format=stream.channel_format, n_channels=n_channels)
    return (
        eeg,
        writer.add_strings(marker_stream),
        writer.add_strings(INPUTS_STREAM, kind=INPUTS_TYPE),
        writer.add_strings(f"{stream.name}-text"),
    )
