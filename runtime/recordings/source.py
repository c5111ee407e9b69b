"""A recording as a source: the same samples, markers and events in the same order as live."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from pipeline.timeline import Timeline
from pipeline.values import Batch, Event, Figure, Marker
from runtime.montage import Montage, make_montage
from runtime.recordings import array, mne_files
from runtime.recordings.xdf import read_xdf
from runtime.source import StreamEnded, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runtime.recordings.raw import RawRecording, RecordedRun

CHUNK_S = 0.5
SUFFIXES = (".xdf", ".xdfz", ".xdf.gz", *mne_files.SUFFIXES, *array.SUFFIXES)


def read_recording(
    path: Path, *, stream: str | None = None, markers: str | None = None
) -> RawRecording:
    """Read a recording of any format we know, by its suffix.

    ``stream`` and ``markers`` name the streams to take where a file has several.

    Raises:
        RecordingError: unknown suffix, unreadable, or not usable.
    """
    name = path.name.lower()
    if name.endswith((".xdf", ".xdfz", ".xdf.gz")):
        raw = read_xdf(path, stream=stream, markers=markers)
    elif name.endswith(mne_files.SUFFIXES):
        raw = mne_files.read_mne(path)
    elif name.endswith(array.SUFFIXES):
        raw = array.read_array(path)
    else:
        raise RecordingError(f"{path}: unknown kind of file, wanted one of {', '.join(SUFFIXES)}")
    raw.check(str(path))
    return raw


class RecordingSource:
    """Hands over a recording in chunks, as fast as it is pulled: a ``runtime.source.Source``.

    Args:
        path: the file.
        channels: the wanted channels in order; None for all.
        stream: name of the EEG stream, where there are several.
        markers: name of the marker stream, where not all are meant.
        renamed: wanted channel to the recording's label.
        chunk_samples: samples a pull hands over; half a second by default.
    """

    def __init__(
        self,
        path: Path,
        *,
        channels: Sequence[str] | None = None,
        stream: str | None = None,
        markers: str | None = None,
        renamed: Mapping[str, str] | None = None,
        chunk_samples: int | None = None,
    ) -> None:
        self._path = path
        self._wanted = channels
        self._stream = stream
        self._marker_stream = markers
        self._renamed = renamed
        self._chunk_samples = chunk_samples
        self._raw: RawRecording
        self._montage: Montage
        self._timeline: Timeline | None = None
        self._inputs: deque[Marker | Event] = deque()  # in the order the chain is to take them
        self._held: list[tuple[int, int]] = []
        self._next = 0
        self.n_samples = 0
        self.run: RecordedRun | None = None
        self.subject = ""

    def open(self, timeout_s: float | None) -> StreamInfo:
        """Read the file; ``timeout_s`` is not needed.

        Raises:
            RecordingError: it cannot be used, or lacks a wanted channel.
        """
        raw = self._raw = read_recording(
            self._path, stream=self._stream, markers=self._marker_stream
        )
        self.run, self.subject = raw.run, raw.subject
        renamed = raw.run.channels if self._renamed is None and raw.run else self._renamed
        try:
            self._montage = make_montage(
                raw.labels, raw.units, wanted=self._wanted, renamed=renamed
            )
        except ValueError as error:
            raise RecordingError(f"{self._path}: {error}") from None
        self.n_samples = len(raw.values)
        if self._chunk_samples is None:
            self._chunk_samples = max(1, round(CHUNK_S * raw.rate_hz))
        events: list[Event] = []
        if self._montage.assumed:
            n_assumed = len(self._montage.assumed)
            events.append(
                Event("unit_assumed", 0, 0, {"n_channels": n_assumed, "unit": "microvolts"})
            )
        if raw.stamps is not None:
            self._timeline = Timeline(raw.rate_hz, remember_s=math.inf)
            events += self._timeline.push(raw.stamps)
            events += self._timeline.finish()
        if raw.inputs is None:
            placed = [self._place(text, at) for text, at in raw.markers]
            markers = [marker for marker in placed if marker is not None]
            if len(markers) < len(placed):
                figures: dict[str, Figure] = {"n_markers": len(placed) - len(markers)}
                events.insert(0, Event("markers_early", 0, 0, figures))
            inputs: list[Marker | Event] = [*events, *markers]
        else:
            inputs = [_within(given, self.n_samples) for given in raw.inputs]
            self._held = [
                span for given in inputs if isinstance(given, Event) for span in _overrun(given)
            ]
        self._inputs = deque(sorted(inputs, key=lambda given: given.known_at))
        return StreamInfo(
            name=raw.name,
            source_id=raw.source_id,
            rate_hz=raw.rate_hz,
            channels=self._montage.channels,
            unit=raw.units[self._montage.columns[0]] if len(self._montage.columns) else "",
            is_simulated=raw.is_simulated,
        )

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Those of the recording that are not yet handed over."""
        return tuple(given for given in self._inputs if isinstance(given, Marker))

    def _place(self, text: str, at: float) -> Marker | None:
        """Return a foreign marker on its sample, known when that is; None before the first."""
        timeline = self._timeline
        index = round(at) if timeline is None else timeline.index_at(at)
        return Marker(text, index, min(index, self.n_samples)) if index >= 0 else None

    def pull(self, timeout_s: float) -> Batch | None:
        """Return the next chunk with the markers and events known by its end.

        Where an event came after a marker known at the same sample, the chunk ends there: the chain
        takes a batch's events before its markers, and live they came in two.

        Raises:
            StreamEnded: everything was handed over.
        """
        first, stop = self._next, min(self._next + (self._chunk_samples or 1), self.n_samples)
        if first >= self.n_samples and not self._inputs:
            raise StreamEnded
        markers: list[Marker] = []
        events: list[Event] = []
        while self._inputs and self._inputs[0].known_at <= stop:
            given = self._inputs[0]
            if isinstance(given, Marker):
                markers.append(given)
            elif markers and markers[-1].known_at == given.known_at:
                stop = given.known_at
                break
            else:
                events.append(given)
            self._inputs.popleft()
        self._next = stop
        samples = np.ascontiguousarray(self._montage.apply(self._raw.values[first:stop]))
        if any(begin < stop and end > first for begin, end in self._held):
            samples = samples.copy()
            for begin, end in self._held:
                samples[max(begin - first, 0) : max(end - first, 0)] = np.nan
        return Batch(first, samples, tuple(markers), tuple(events))

    def lsl_time(self, sample_index: int) -> float:
        """Return the recorder's seconds of a sample; from 0 where the recording has no stamps."""
        if self._timeline is None:
            return sample_index / self._raw.rate_hz
        return self._timeline.time_at(sample_index)

    def close(self) -> None:
        """Nothing is held open."""


def _overrun(event: Event) -> list[tuple[int, int]]:
    """Return the samples that the daemon's chain never saw, though they were recorded."""
    n_samples = event.figures.get("n_samples")
    if event.kind != "overrun" or "by" in event.figures or not isinstance(n_samples, int):
        return []
    return [(max(0, event.sample), max(0, event.sample) + max(0, n_samples))]


def _within(given: Marker | Event, n_samples: int) -> Marker | Event:
    """Return an input of our own recording that cannot be known beyond the recorded samples."""
    return replace(given, known_at=min(max(0, given.known_at), n_samples))
