"""Spans of continuous text in a recording: which samples, and what was meant.

The truth comes from ``text:<string>`` and ``text:end``; everything between spans is rest. Read
here, offline, and nowhere near the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from pipeline.markers import split_marker
from runtime.source import drain

if TYPE_CHECKING:
    from pipeline.values import Marker, Samples
    from runtime.source import Source


@dataclass(frozen=True, slots=True)
class TextSpan:
    """``text`` was meant within samples ``[start, stop)``."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class TextRecording:
    """One recording: raw µV ``(n_samples, n_channels)`` and its spans, in order."""

    name: str
    rate_hz: float
    channels: tuple[str, ...]
    samples: Samples
    spans: tuple[TextSpan, ...]


def read_text_recording(source: Source, *, name: str) -> TextRecording:
    """Read a source to its end and close it.

    Raises:
        RecordingError: it cannot be used, or a ``text:`` marker has no ``text:end``; names it.
    """
    info = source.open(None)
    pieces: list[Samples] = []
    markers: list[Marker] = []
    try:
        for batch in drain(source):
            pieces.append(batch.samples.copy())
            markers += batch.markers
    finally:
        source.close()
    samples = np.concatenate(pieces) if pieces else np.empty((0, len(info.channels)), np.float32)
    spans = text_spans(markers, name=name)
    return TextRecording(name, info.rate_hz, info.channels, samples, spans)


def text_spans(markers: list[Marker], *, name: str) -> tuple[TextSpan, ...]:
    """Return the spans that ``markers`` open and close; an opening one may read ``text:end`` too.

    Raises:
        RecordingError: one is opened inside another, or never closed.
    """
    spans: list[TextSpan] = []
    opened: Marker | None = None
    for marker in sorted(markers, key=lambda m: m.index):
        kind, text = split_marker(marker.text)
        if kind != "text":
            continue
        if opened is not None and text != "end":
            raise RecordingError(
                f"{name}: marker {marker.text!r} at sample {marker.index}, wanted text:end, "
                f"for {opened.text!r} is still open"
            )
        if opened is not None:
            spans.append(TextSpan(split_marker(opened.text)[1], opened.index, marker.index))
        opened = marker if opened is None else None
    if opened is not None:
        raise RecordingError(f"{name}: marker {opened.text!r} without a text:end, wanted one")
    return tuple(spans)
