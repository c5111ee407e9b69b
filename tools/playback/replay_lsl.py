"""A recording over LSL, as if it were live: ``replay REC --through lsl``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from pipeline.markers import is_truth
from runtime.montage import make_montage
from runtime.recordings.source import read_recording
from tools.playback.offer import Sent, offer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def offer_over_lsl(
    path: Path,
    *,
    name: str,
    speed: float = 1.0,
    wait_s: float = 30.0,
    labels: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> Sent:
    """Offer a recording's EEG and markers, and return what was sent.

    ``label:`` and ``text:`` markers, the truth, go out only with ``labels``.

    Raises:
        RecordingError: the recording cannot be used.
        StreamLost: nobody connected to the EEG in time.
    """
    raw = read_recording(path)
    stamps = raw.stamps
    markers = raw.markers
    if stamps is None:
        stamps = np.arange(len(raw.values)) / raw.rate_hz
        markers = [(text, index / raw.rate_hz) for text, index in markers]
    try:
        montage = make_montage(raw.labels, raw.units)
    except ValueError as error:
        raise RecordingError(f"{path}: {error}") from None
    told = [(text, at_s) for text, at_s in markers if labels or not is_truth(text)]
    return offer(
        montage.apply(raw.values),
        stamps,
        told,
        name=name,
        rate_hz=raw.rate_hz,
        channels=montage.channels,
        with_markers=bool(raw.markers),
        is_simulated=raw.is_simulated,
        wait_for_markers=bool(told),
        speed=speed,
        wait_s=wait_s,
        on_progress=on_progress,
    )
