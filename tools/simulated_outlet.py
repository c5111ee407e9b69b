"""The simulated headset on Lab Streaming Layer, in real time: EEG, and the truth beside it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import StreamLost
from runtime.paradigm import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pylsl import StreamOutlet

    from runtime.synthesis import Session

CHUNK_S = 0.02
"""How much a headset sends at once."""

HOLD_S = 2.0
"""How long the outlets stay after the last sample, so that it arrives."""


def stream_session(
    session: Session,
    *,
    name: str,
    rate_hz: float,
    wait_s: float,
    on_progress: Callable[[int], None] | None = None,
) -> float:
    """Send ``session`` as it would have been recorded; return the worst delay in seconds.

    A sample's stamp is the moment the session's clock says, whenever it was sent. Markers with
    the truth go out as stream ``NAME-markers``.

    Raises:
        StreamLost: nobody connected within ``wait_s``.
    """
    import pylsl

    eeg, markers = _outlets(name, rate_hz)
    if not eeg.wait_for_consumers(wait_s):
        raise StreamLost(f"no consumer connected to stream {name!r} within {wait_s:g} s")
    truth = session.truth()
    n_chunk = max(1, round(CHUNK_S * rate_hz))
    began_s = pylsl.local_clock()
    worst_s = 0.0
    for start in range(0, len(session.samples), n_chunk):
        stop = min(start + n_chunk, len(session.samples))
        due_s = began_s + stop / rate_hz
        time.sleep(max(0.0, due_s - pylsl.local_clock()))
        stamp_s = began_s + (stop - 1) / rate_hz
        eeg.push_chunk(np.ascontiguousarray(session.samples[start:stop]), stamp_s)
        worst_s = max(worst_s, pylsl.local_clock() - due_s)
        while truth and truth[0][0] < stop:
            index, text = truth.pop(0)
            markers.push_sample([text], began_s + index / rate_hz)
        if on_progress is not None:
            on_progress(stop)
    for index, text in truth:
        markers.push_sample([text], began_s + index / rate_hz)
    time.sleep(HOLD_S)
    return worst_s


def _outlets(name: str, rate_hz: float) -> tuple[StreamOutlet, StreamOutlet]:
    """Return outlets of the EEG and of the markers, described as LabRecorder expects."""
    import pylsl

    info = pylsl.StreamInfo(name, "EEG", len(CHANNELS), rate_hz, pylsl.cf_float32, name)
    described = info.desc().append_child("channels")
    for label in CHANNELS:
        channel = described.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts")
        channel.append_child_value("type", "EEG")
    truth = pylsl.StreamInfo(
        f"{name}-markers", "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, f"{name}-markers"
    )
    return pylsl.StreamOutlet(info), pylsl.StreamOutlet(truth)
