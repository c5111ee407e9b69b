"""The frozen values that pass through the chain: markers and events in, text and events out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""``(n_samples, n_channels)``, C-contiguous, microvolts."""

Figure = int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Marker:
    """What a stimulus program said, placed once on the EEG's sample axis.

    ``index`` is the nearest sample on the fitted line of the EEG stream; ``known_at`` the count of
    samples received when it arrived. ``text`` is the whole marker, such as ``stim:on``.
    """

    text: str
    index: int
    known_at: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at ``sample``, known to the chain once ``known_at`` samples were in.

    ``kind`` is one of the event kinds of the messages (``gap``, ``abstained``, …); ``figures`` is
    what it measures. Into the chain: ``gap``, ``clock_jump``, ``pause``, ``resume``,
    ``stream_lost``, ``stream_found``, ``overrun``.
    """

    kind: str
    sample: int
    known_at: int
    figures: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """What a source hands over at once.

    ``samples`` holds samples ``first .. first + len(samples)`` and may be a view that is valid
    until the next pull. Every marker and event has ``known_at <= first + len(samples)``; they are
    in order of ``known_at``. ``stamp_ns`` is the local clock at which the last sample was captured,
    ``received_ns`` when it was pulled (both on the host's monotonic LSL clock; None in replay).
    """

    first: int
    samples: Samples
    markers: tuple[Marker, ...] = ()
    events: tuple[Event, ...] = ()
    stamp_ns: int | None = None
    received_ns: int | None = None


class Hypothesis(msgspec.Struct, frozen=True):
    """One candidate with natural-log scores.

    ``score = model_score + lm_weight * lm_score + length_bonus * n_symbols``.
    """

    text: str
    score: float
    model_score: float
    lm_score: float


@dataclass(frozen=True, slots=True)
class Times:
    """Nanoseconds spent in the stages of one decode; zero where nobody measures."""

    filter_ns: int = 0
    model_ns: int = 0
    decode_ns: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A partial (the whole uncommitted tail) or a final (appended for ever).

    ``delete`` characters leave the transcript's end before ``text`` is appended. ``raw_confidence``
    is the decoder's own number in [0, 1], before the monotone fit. ``samples`` is half-open.
    """

    kind: Literal["partial", "final"]
    text: str
    symbols: tuple[str, ...]
    samples: tuple[int, int]
    nbest: tuple[Hypothesis, ...] = ()
    raw_confidence: float | None = None
    delete: int = 0
    tainted: bool = False
    times: Times = Times()


Output = Text | Event
