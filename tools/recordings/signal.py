"""A source read whole: its samples, markers and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runtime.source import drain

if TYPE_CHECKING:
    from pipeline.values import Event, Marker, Samples
    from runtime.source import Source, StreamInfo


@dataclass(frozen=True, slots=True)
class Signal:
    """All that a source gave: raw µV ``(n_samples, n_channels)``, markers and events in order."""

    info: StreamInfo
    samples: Samples
    markers: tuple[Marker, ...]
    events: tuple[Event, ...]


def read_signal(source: Source) -> Signal:
    """Read a source to its end and close it.

    Raises:
        RecordingError: it cannot be used.
    """
    info = source.open(None)
    pieces: list[Samples] = []
    markers: list[Marker] = []
    events: list[Event] = []
    try:
        for batch in drain(source):
            pieces.append(batch.samples.copy())
            markers += batch.markers
            events += batch.events
    finally:
        source.close()
    samples = np.concatenate(pieces) if pieces else np.empty((0, len(info.channels)), np.float32)
    return Signal(info, samples, tuple(markers), tuple(events))
