"""Stamps of a stream as its sender or liblsl gives them, and what a timeline makes of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.timeline import Timeline
from pipeline.values import Event

RATE_HZ = 250.0
Stamps = NDArray[np.float64]


def line(n_samples: int, *, rate_hz: float = RATE_HZ) -> Stamps:
    return 1000.0 + np.arange(n_samples) / rate_hz


def hear(stamps: Stamps, *, rate_hz: float = RATE_HZ) -> tuple[Timeline, list[Event]]:
    timeline = Timeline(rate_hz)
    return timeline, timeline.push(stamps) + timeline.finish()


def pushed(true: Stamps, n_chunk: int, late_s: Stamps, *, rate_hz: float = RATE_HZ) -> Stamps:
    """Stamps as liblsl deduces them: one per push, on its last sample, the others by the rate."""
    n_samples = len(true) // n_chunk * n_chunk
    last = true[n_chunk - 1 : n_samples : n_chunk] + late_s[: n_samples // n_chunk]
    return np.repeat(last, n_chunk) - np.tile(np.arange(n_chunk)[::-1], len(last)) / rate_hz
