"""A configured stream's source, and the recorder that listens in where one is asked for."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pylsl
import structlog

from pipeline.errors import ConfigError
from runtime.lsl.source import LslSource
from runtime.places import make_private_folder
from runtime.recordings.raw import RecordedRun
from runtime.recordings.recorder import Recorder
from runtime.wire.messages import Final, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.values import Batch, Event
    from runtime.config import Record, Stream
    from runtime.engine import Engine
    from runtime.source import RawStream, Source, Tap

log = structlog.get_logger()


class StreamInputs:
    """What a stream's service reads from, and what writes beside it.

    ``tell`` is for whoever publishes the recorder's troubles; it is called from any thread.

    Raises:
        ConfigError: recordings cannot be written where they are wanted.
    """

    def __init__(
        self,
        settings: Stream,
        engine: Engine,
        record: Record,
        session: str,
        *,
        every_decode: bool,
    ) -> None:
        self._settings = settings
        self._every_decode = every_decode
        self._record = record
        self._session = session
        self._recorder: Recorder | None = None
        self._early: list[tuple[Event, int]] = []  # what came before there was a stream to record
        self._gate = threading.Lock()  # around the two above: two threads may tell at once
        self.tell: Callable[[Event], None] = lambda _event: None
        if record.directory is not None:
            _check_writable(record.directory)
        source = LslSource(
            settings.lsl,
            markers=settings.markers,
            channels=engine.spec.channels,
            renamed=settings.channels,
            until_due=engine.spec.window.samples_until_due,
            make_tap=None if record.directory is None else self._make_recorder,
        )
        self.source: Source = source
        if record.directory is not None:
            self.source = RecordedSource(source, end_batch=self._end_batch)

    def _make_recorder(self, stream: RawStream) -> Tap:
        folder = self._record.directory
        if folder is None:
            raise ValueError("record.directory: got none, wanted a folder")
        path = folder / f"{self._settings.name}-{self._session}.xdf"
        recorder = Recorder(
            path,
            stream,
            marker_stream=f"{stream.name}-markers",
            on_event=self._on_trouble,
            clock=pylsl.local_clock,
        )
        recorder.run(
            RecordedRun(
                stream=self._settings.name,
                pause_marker=self._settings.pause_marker,
                resume_marker=self._settings.resume_marker,
                channels=self._settings.channels,
                every_decode=self._every_decode,
            )
        )
        with self._gate:
            self._recorder = recorder
            for event, after_markers in self._early:
                recorder.event_beside(event, after_markers=after_markers)
        log.info("recording", stream=self._settings.name, path=str(path))
        return recorder

    def _end_batch(self) -> None:
        if self._recorder is not None:
            self._recorder.end_batch()

    def _on_trouble(self, event: Event) -> None:
        log.error("recorder", stream=self._settings.name, kind=event.kind, sample=event.sample)
        self.tell(event)

    def on_input(self, event: Event, n_markers: int) -> None:
        """Record an event that reached the chain after ``n_markers``, not by the source."""
        with self._gate:
            if self._recorder is not None:
                self._recorder.event_beside(event, after_markers=n_markers)
            elif self._record.directory is not None:
                self._early.append((event, n_markers))

    def on_text(self, message: Final) -> None:
        """Record a final as it is published."""
        if self._recorder is not None:
            self._recorder.text(encode(message).decode())

    def close(self) -> None:
        """Finish the recording; the source is closed by its reader thread."""
        if self._recorder is not None:
            self._recorder.close()


class RecordedSource:
    """A source that says where each batch ends: only then is the order in it known.

    Args:
        source: what is recorded.
        end_batch: called before a batch is handed over, on the thread that pulls.
    """

    def __init__(self, source: Source, *, end_batch: Callable[[], None]) -> None:
        self._source = source
        self._end_batch = end_batch
        self.open, self.close, self.lsl_time = source.open, source.close, source.lsl_time

    def pull(self, timeout_s: float) -> Batch | None:
        """Return what arrived; see :class:`runtime.source.Source`."""
        batch = self._source.pull(timeout_s)
        self._end_batch()
        return batch


def _check_writable(folder: Path) -> None:
    """Make the folder of recordings, before anybody relies on it.

    Raises:
        ConfigError: it cannot be made or written.
    """
    why = "it cannot be written"
    try:
        make_private_folder(folder)
    except OSError as error:
        why = error.strerror or str(error)
    else:
        if os.access(folder, os.W_OK | os.X_OK):
            return
    raise ConfigError(
        f"record.directory: got {str(folder)!r}, wanted a folder for recordings: {why}"
    )
