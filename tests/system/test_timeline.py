"""Minutes and hours of stamps, made and real: what is not lost is not said to be."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.recordings.source import read_recording
from tests.given import needs_data, recording
from tests.stamps import RATE_HZ, Stamps, hear, line, pushed

pytestmark = pytest.mark.live


def openbci() -> Stamps:
    stamps = read_recording(recording("labrecorder_openbci.xdf")).stamps
    assert stamps is not None
    return stamps


@pytest.mark.parametrize(
    ("jitter", "minutes"), [(0.0, 10), (0.1, 10), (0.5, 60), (1.0, 10), (3.0, 10), (8.0, 10)]
)
def test_an_hour_of_jitter_makes_no_gap(jitter: float, minutes: int) -> None:
    rng = np.random.default_rng(round(jitter * 10))
    n_hour = round(minutes * 60 * RATE_HZ)
    drifting = line(n_hour, rate_hz=RATE_HZ * (1 + 5e-5))
    drifting += 0.002 * np.sin(np.arange(n_hour) / RATE_HZ / 300)
    _, events = hear(drifting + rng.normal(0, jitter, n_hour) / RATE_HZ)
    assert events == []


@pytest.mark.parametrize("off", [-0.01, -0.001, 0.0004, 0.01])
@pytest.mark.parametrize("n_chunk", [1, 5, 10, 25, 50])
def test_stamps_deduced_within_a_push_make_no_gap(off: float, n_chunk: int) -> None:
    rng = np.random.default_rng(n_chunk)
    true = line(60_000, rate_hz=RATE_HZ * (1 + off))
    timeline, events = hear(pushed(true, n_chunk, rng.exponential(0.001, 60_000)))
    assert events == []
    assert timeline.effective_rate_hz == pytest.approx(RATE_HZ * (1 + off), rel=2e-4)


@pytest.mark.parametrize("n_chunk", [1, 4, 16, 32])
@pytest.mark.parametrize("catch_up", [0.0, 0.5])
def test_a_sender_that_stalls_and_catches_up_has_lost_nothing(
    n_chunk: int, catch_up: float
) -> None:
    rng = np.random.default_rng(n_chunk)
    true = line(60_000)
    due = true[n_chunk - 1 :: n_chunk]
    late_s, free = np.zeros(len(due)), 0.0
    for position, time_s in enumerate(due):
        sent = max(time_s + rng.exponential(3e-4), free)
        if position in (len(due) // 4, len(due) // 2, 3 * len(due) // 4):
            sent += rng.uniform(0.1, 0.8)
        late_s[position], free = sent - time_s, sent + catch_up * n_chunk / RATE_HZ
    _, events = hear(pushed(true, n_chunk, late_s))
    assert events == []


@needs_data
def test_a_real_stream_of_bursts_has_lost_nothing() -> None:
    timeline, events = hear(openbci())
    assert events == []
    assert timeline.effective_rate_hz == pytest.approx(250.09, abs=0.02)
    assert timeline.jitter_ms == pytest.approx(15.0, abs=2.0)


@needs_data
@pytest.mark.parametrize("at", [300, 2000, 12_345, 20_000, 40_000])
def test_samples_cut_out_of_a_real_stream_are_counted_within_the_uncertainty(at: int) -> None:
    timeline, (event,) = hear(np.delete(openbci(), np.s_[at : at + 127]))
    uncertainty = event.figures["uncertainty_samples"]
    assert isinstance(uncertainty, int)
    assert abs(timeline.n_lost - 127) <= uncertainty <= 12
    assert abs(event.sample - at) <= 12
