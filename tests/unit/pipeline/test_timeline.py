"""Raw stamps in, lost samples out: counted where they can be, never invented."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.timeline import Timeline
from tests.stamps import RATE_HZ, hear, line, pushed


@pytest.mark.parametrize("rate_hz", [20.0, 100.0, 250.0, 300.0, 512.0, 1000.0])
@pytest.mark.parametrize("n_lost", [1, 2, 3, 10, 125])
def test_regular_stamps_are_counted_exactly_and_soon(rate_hz: float, n_lost: int) -> None:
    at = round(20 * rate_hz) + 7
    stamps = np.delete(
        line(at + n_lost + round(5 * rate_hz), rate_hz=rate_hz), np.s_[at : at + n_lost]
    )
    timeline, (event,) = hear(stamps, rate_hz=rate_hz)
    assert (event.kind, event.sample) == ("gap", at)
    assert event.figures["n_samples"] == timeline.n_lost == n_lost
    assert event.figures["uncertainty_samples"] == 0
    assert event.known_at - at < 0.5 * rate_hz + 8


def test_a_gap_of_half_a_second_is_exact_within_the_first_second_too() -> None:
    stamps = np.delete(line(3000), np.s_[100:225])
    _, (event,) = hear(stamps)
    assert (event.sample, event.figures["n_samples"]) == (100, 125)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(1, 4999), max_size=12),
    share=st.sampled_from([0.0, 0.001, 0.01]),
    jitter=st.sampled_from([0.0, 0.3, 2.0]),
)
def test_chunking_never_matters(seed: int, cuts: list[int], share: float, jitter: float) -> None:
    rng = np.random.default_rng(seed)
    stamps = line(5000) + rng.normal(0, jitter, 5000) / RATE_HZ
    stamps = stamps[rng.random(5000) >= share]
    stamps[rng.integers(0, len(stamps), 3)] = [np.nan, np.inf, -5.0]
    whole, pieces = Timeline(RATE_HZ), Timeline(RATE_HZ)
    at_once = whole.push(stamps) + whole.finish()
    bounds = [0, *sorted(cut for cut in cuts if cut < len(stamps)), len(stamps)]
    one_by_one = []
    for start, stop in itertools.pairwise(bounds):
        before = pieces.n_received
        events = pieces.push(stamps[start:stop])
        assert all(before < event.known_at <= pieces.n_received for event in events)
        one_by_one += events
    one_by_one += pieces.finish()
    assert one_by_one == at_once
    for index in (0, 1, 17, 2500, len(stamps) - 1):
        assert pieces.time_at(index) == whole.time_at(index)
        assert pieces.index_at(stamps[17] + index / RATE_HZ) == whole.index_at(
            stamps[17] + index / RATE_HZ
        )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_lost=st.integers(1, 2000),
    at=st.integers(1500, 8000),
    off=st.floats(-0.01, 0.01),
)
def test_jitter_under_half_a_sample_leaves_the_count_exact(
    seed: int, n_lost: int, at: int, off: float
) -> None:
    rng = np.random.default_rng(seed)
    n_all = at + n_lost + 1000
    stamps = line(n_all, rate_hz=RATE_HZ * (1 + off)) + rng.uniform(-0.49, 0.49, n_all) / RATE_HZ
    timeline, events = hear(np.delete(stamps, np.s_[at : at + n_lost]))
    assert [event.kind for event in events] == ["gap"]
    assert abs(events[0].sample - at) <= 10
    assert abs(timeline.n_lost - n_lost) <= events[0].figures["uncertainty_samples"]
    if n_lost < 500:
        assert timeline.n_lost == n_lost
    assert timeline.effective_rate_hz == pytest.approx(RATE_HZ * (1 + off), rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    jitter=st.floats(0.5, 5.0),
    n_chunk=st.sampled_from([1, 4, 10, 25]),
    times=st.floats(12, 100),
)
def test_with_more_jitter_the_count_is_within_its_stated_uncertainty(
    seed: int, jitter: float, n_chunk: int, times: float
) -> None:
    rng = np.random.default_rng(seed)
    n_lost = round(times * jitter)
    true = np.delete(line(10000), np.s_[6000 : 6000 + n_lost])
    late_s = rng.normal(0, jitter, len(true)) / RATE_HZ
    timeline, events = hear(pushed(true, n_chunk, late_s))
    assert [event.kind for event in events] == ["gap"]
    uncertainty = events[0].figures["uncertainty_samples"]
    assert isinstance(uncertainty, int)
    assert abs(timeline.n_lost - n_lost) <= max(1, uncertainty)
    assert uncertainty <= 4 * jitter + 1


def test_many_losses_are_counted_one_by_one() -> None:
    rng = np.random.default_rng(5)
    for jitter, share in ((0.0, 0.02), (0.0, 0.005), (0.1, 0.003), (0.3, 0.002)):
        keep = rng.random(40_000) >= share
        keep[:1000] = keep[-1000:] = True
        stamps = (line(40_000) + rng.normal(0, jitter, 40_000) / RATE_HZ)[keep]
        timeline, _ = hear(stamps)
        assert timeline.n_lost == (~keep).sum()


def test_clocks_that_are_set_are_jumps_and_lose_nothing() -> None:
    back = np.concatenate([line(5000), line(5000) + 20.0 - 12.5])
    timeline, (event,) = hear(back)
    assert (event.kind, event.sample, timeline.n_lost) == ("clock_jump", 5000, 0)
    assert event.figures["jump_s"] == pytest.approx(-12.5, abs=0.01)
    ahead = np.concatenate([line(5000), line(5000) + 20.0 + 200_000])
    timeline, (event,) = hear(ahead)
    assert (event.kind, event.sample, timeline.n_lost) == ("clock_jump", 5000, 0)
    assert event.figures["jump_s"] == pytest.approx(200_000, abs=0.01)


def test_stamps_back_by_less_than_the_jitter_are_jitter() -> None:
    stamps = line(5000)
    stamps[1::2] -= 1.5 / RATE_HZ  # every other one is before the one before it
    _, events = hear(stamps)
    assert events == []


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(), min_size=10, max_size=30), st.integers(0, 3000))
def test_senseless_stamps_end_in_finite_answers(stamps: list[float], n_regular: int) -> None:
    senseless = np.resize(stamps, 600)
    timeline = Timeline(RATE_HZ)
    timeline.push(line(n_regular))
    timeline.push(senseless)
    timeline.push(line(500))
    timeline.finish()
    assert np.isfinite(timeline.time_at(timeline.n_received - 1))
    assert timeline.n_received == n_regular + 1100


def test_times_become_the_nearest_index_around_a_gap() -> None:
    timeline = Timeline(RATE_HZ)
    stamps = np.delete(line(4000), np.s_[2000:2100])
    timeline.push(stamps)
    for index in (0, 1, 500, 1999, 2000, 2500, 3899):
        assert timeline.index_at(stamps[index]) == index
        assert timeline.index_at(stamps[index] + 0.4 / RATE_HZ) == index
        assert timeline.time_at(index) == pytest.approx(stamps[index], abs=1e-5)
    assert timeline.index_at(stamps[1999] + 10 / RATE_HZ) == 1999
    assert timeline.index_at(stamps[2000] - 10 / RATE_HZ) == 2000
    assert timeline.index_at(stamps[-1] + 10 / RATE_HZ) == 3909
    assert timeline.index_at(stamps[0] - 10 / RATE_HZ) == -10


def test_times_behind_a_gap_not_yet_certain_are_placed_as_if_it_were() -> None:
    timeline = Timeline(RATE_HZ)
    stamps = np.delete(line(4000), np.s_[2000:2100])
    assert timeline.push(stamps[:2032]) == []
    assert timeline.index_at(stamps[2010]) == 2010
    assert timeline.index_at(stamps[1990]) == 1990
    assert timeline.index_at(stamps[1999] + 10 / RATE_HZ) == 1999
    assert timeline.index_at(stamps[2000] - 10 / RATE_HZ) == 2000


def test_places_are_known_from_the_first_sample_on() -> None:
    timeline = Timeline(RATE_HZ)
    with pytest.raises(IndexError):
        timeline.index_at(1000.0)
    timeline.push(np.array([1000.0]))
    assert timeline.index_at(1000.041) == 10
    assert timeline.time_at(10) == pytest.approx(1000.04)


def test_a_new_clock_begins_a_new_line_and_indices_go_on() -> None:
    timeline = Timeline(RATE_HZ)
    timeline.push(line(2000))
    timeline.restart()
    timeline.push(line(2000) - 900.0)
    assert timeline.index_at(100.0) == 2000
    assert timeline.index_at(101.0) == 2250
    assert timeline.index_at(1004.0) == 1000  # a time that only the old clock knows
    assert timeline.index_at(1200.0) == 1999
    assert timeline.time_at(1000) == pytest.approx(1004.0)
    assert timeline.time_at(2250) == pytest.approx(101.0)
    assert timeline.n_lost == 0
