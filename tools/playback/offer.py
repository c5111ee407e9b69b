"""Samples and markers offered over Lab Streaming Layer at their own pace, as a headset would."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import StreamLost
from pipeline.timeline import Timeline
from runtime.lsl.log import hush_lsl
from runtime.source import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pylsl import StreamOutlet

CHUNK_S = 0.02
"""How much a headset sends at once."""

BACK_S = 1.0
JUMP_S = 3600.0
"""Steps of stamps beyond these are a clock that was set, not time that passed."""

MARKERS_S = 10.0
"""How long a consumer of the samples may take to connect to the markers too, if it ever does."""

HOLD_S = 2.0
"""How long the outlets stay after the last sample, so that it arrives."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What left: counts of samples and markers, and the worst delay behind the pace in seconds.

    ``unheard``: markers were sent though nobody had connected to their stream.
    """

    samples_sent: int
    markers_sent: int
    worst_s: float
    unheard: bool = False


def offer(
    samples: NDArray[np.float32],
    stamps: NDArray[np.float64],
    markers: Sequence[tuple[str, float]],
    *,
    name: str,
    rate_hz: float,
    channels: Sequence[str],
    with_markers: bool,
    wait_for_markers: bool = True,
    is_simulated: bool = False,
    speed: float = 1.0,
    wait_s: float = 30.0,
    on_progress: Callable[[int], None] | None = None,
) -> Sent:
    """Offer a stream ``name`` and, if asked, ``name-markers``; return what was sent.

    Stamps are the given intervals from now, whatever ``speed`` they are sent at: gaps and jitter
    stay.

    Args:
        samples: ``(n_samples, n_channels)`` float32 µV.
        stamps: ``(n_samples,)`` seconds.
        markers: ``(text, seconds on the same clock)`` in order.
        name: of the EEG outlet, and its ``source_id``.
        rate_hz: the nominal rate.
        channels: labels.
        with_markers: whether there is a marker outlet.
        wait_for_markers: whether to wait, once somebody has connected to the samples, for somebody
            to connect to it too. A daemon without markers never does: then it goes unheard.
        is_simulated: no person's EEG; the stream says so.
        speed: how many seconds of stamps are sent in one.
        wait_s: how long to wait for consumers.
        on_progress: told the count of samples sent.

    Raises:
        StreamLost: nobody connected to the samples within ``wait_s``.
    """
    import pylsl

    hush_lsl()
    eeg = _eeg_outlet(name, rate_hz, channels, is_simulated=is_simulated)
    beside = _marker_outlet(name) if with_markers else None
    if not eeg.wait_for_consumers(wait_s):
        raise StreamLost(
            f"nobody connected to the stream {name!r} within {wait_s:g} s, wanted a consumer"
        )
    if beside is not None and wait_for_markers:
        beside.wait_for_consumers(min(wait_s, MARKERS_S))
    unheard = bool(markers) and beside is not None and not beside.have_consumers()
    n_chunk = max(1, round(CHUNK_S * rate_hz))
    began_s = pylsl.local_clock()
    shift_s = began_s - float(stamps[0])
    worst_s, n_markers = 0.0, 0
    waiting = deque(_in_order_of_samples(markers, stamps, rate_hz) if beside is not None else [])
    paced_s = pace(stamps, rate_hz=rate_hz)
    for start in range(0, len(samples), n_chunk):
        stop = min(start + n_chunk, len(samples))
        due_s = began_s + paced_s[stop - 1] / speed
        time.sleep(max(0.0, due_s - pylsl.local_clock()))
        worst_s = max(worst_s, pylsl.local_clock() - due_s)
        eeg.push_chunk(samples[start:stop], (stamps[start:stop] + shift_s).tolist())
        while beside is not None and waiting and (waiting[0][0] < stop or stop == len(samples)):
            _, text, at_s = waiting.popleft()
            beside.push_sample([text], at_s + shift_s)
            n_markers += 1
        if on_progress is not None:
            on_progress(stop)
    time.sleep(HOLD_S)
    return Sent(len(samples), n_markers, worst_s, unheard)


def pace(stamps: NDArray[np.float64], *, rate_hz: float) -> NDArray[np.float64]:
    """Return the seconds after the first sample at which each is sent, never going back.

    Gaps are waited for; a clock that was set back, or forward by over an hour, is not.
    """
    steps = np.diff(stamps, prepend=stamps[0] - 1.0 / rate_hz)
    steps[(steps < -BACK_S) | (steps > JUMP_S)] = 1.0 / rate_hz
    times: NDArray[np.float64] = np.maximum.accumulate(np.cumsum(steps)) - 1.0 / rate_hz
    return times


def _in_order_of_samples(
    markers: Sequence[tuple[str, float]], stamps: NDArray[np.float64], rate_hz: float
) -> list[tuple[int, str, float]]:
    """Return markers with the sample each belongs to, in that order; a clock may have been set."""
    steps = np.diff(stamps)
    if ((steps > -BACK_S) & (steps < JUMP_S)).all():
        latest_s = np.maximum.accumulate(stamps)
        places = np.searchsorted(latest_s, [at_s for _, at_s in markers]).tolist()
    else:
        timeline = Timeline(rate_hz, remember_s=math.inf)
        timeline.push(stamps)
        places = [timeline.index_at(at_s) for _, at_s in markers]
    found = [(at, text, at_s) for at, (text, at_s) in zip(places, markers, strict=True)]
    return sorted(found, key=lambda entry: entry[0])


def _eeg_outlet(
    name: str, rate_hz: float, channels: Sequence[str], *, is_simulated: bool
) -> StreamOutlet:
    import pylsl

    info = pylsl.StreamInfo(name, "EEG", len(channels), rate_hz, pylsl.cf_float32, name)
    described = info.desc().append_child("channels")
    for label in channels:
        channel = described.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts")
        channel.append_child_value("type", "EEG")
    if is_simulated:
        where, what = SIMULATED
        info.desc().append_child(where).append_child_value(what, "true")
    return pylsl.StreamOutlet(info)


def _marker_outlet(name: str) -> StreamOutlet:
    import pylsl

    beside = f"{name}-markers"
    return pylsl.StreamOutlet(
        pylsl.StreamInfo(beside, "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, beside)
    )
