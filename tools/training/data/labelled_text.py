"""Spans of continuous text in a recording: which samples, and what was meant.

The truth comes from ``text:<string>`` and ``text:end``; everything between spans is rest. Read
here, offline, and nowhere near the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.markers import split_marker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.values import Marker


FOREVER = 1 << 62
"""A sample beyond any recording."""


@dataclass(frozen=True, slots=True)
class TextSpan:
    """``text`` was meant within samples ``[start, stop)``."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class FoundSpans:
    """Spans in order, a line for each that could not be told, and the samples it may lie in."""

    spans: tuple[TextSpan, ...]
    faults: tuple[str, ...] = ()
    lost: tuple[tuple[int, int], ...] = ()


def find_spans(markers: Sequence[Marker]) -> FoundSpans:
    """Return the spans that are opened and closed, and what is wrong with the others.

    What is opened may read ``text:end`` too. Where a text is opened inside another both are lost:
    nothing says where either ended. From then on ``text:end`` only closes, and is no text of its
    own.
    """
    spans: list[TextSpan] = []
    faults: list[str] = []
    lost: list[tuple[int, int]] = []
    opened: Marker | None = None
    lost_from: int | None = None
    quiet_from = 0
    for marker in sorted(markers, key=lambda m: m.index):
        kind, text = split_marker(marker.text)
        if kind != "text":
            continue
        what = f"marker {marker.text!r} at sample {marker.index}"
        if lost_from is not None and text == "end":
            lost.append((lost_from, marker.index))
            lost_from, quiet_from = None, marker.index
        elif lost_from is not None:
            faults.append(f"{what}, wanted text:end before it")
        elif opened is None and text == "end" and faults:
            faults.append(f"{what}, wanted a text before it")
            lost.append((quiet_from, marker.index))
        elif opened is None:
            opened = marker
        elif text == "end":
            spans.append(TextSpan(split_marker(opened.text)[1], opened.index, marker.index))
            opened, quiet_from = None, marker.index
        else:
            faults.append(f"{what}, wanted text:end, for {opened.text!r} is still open")
            lost_from, opened = opened.index, None
    if opened is not None:
        faults.append(f"marker {opened.text!r} without a text:end, wanted one")
        lost_from = opened.index
    if lost_from is not None:
        lost.append((lost_from, FOREVER))
    return FoundSpans(tuple(spans), tuple(faults), tuple(lost))
