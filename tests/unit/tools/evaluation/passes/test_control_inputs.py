from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recordings import noise
from tests.reels import reel
from tools.evaluation.passes.control_inputs import (
    LIKE,
    control_inputs,
    joined,
    others,
    phases_like,
    white_like,
)
from tools.evaluation.passes.reel import Item, Reel

RATE_HZ = 250.0


def eeg(n_samples: int = 5000, *, seed: int = 0) -> np.ndarray:
    """Return background that is louder where it is slower, on channels of their own levels."""
    walk = np.cumsum(noise(n_samples, seed), axis=0)
    return np.asarray(walk * [0.1, 1.0, 0.5, 2.0] + [0.0, 4000.0, -300.0, 1e5], np.float32)


def with_holes(samples: np.ndarray) -> np.ndarray:
    broken = samples.copy()
    broken[:3, 0] = np.nan
    broken[100:140] = np.nan
    broken[300, 2] = np.inf
    return broken


def test_white_noise_is_as_loud_as_each_channel_within_a_second_and_white() -> None:
    samples = eeg()
    samples[2500:] += 5000.0  # a step is no loudness
    white = white_like(samples, rate_hz=RATE_HZ, rng=np.random.default_rng(1))
    level = np.median(samples.reshape(-1, 250, 4).std(axis=1), axis=0)
    np.testing.assert_allclose(white.std(axis=0), level, rtol=0.05)
    np.testing.assert_allclose(
        white.mean(axis=0), np.median(samples, axis=0), atol=3.0 * level.max()
    )
    spectrum = np.abs(np.fft.rfft(white - white.mean(axis=0), axis=0)) ** 2
    low, high = spectrum[1:1000].mean(axis=0), spectrum[1500:].mean(axis=0)
    np.testing.assert_allclose(low / high, 1.0, atol=0.2)
    assert np.abs(np.corrcoef(white.T) - np.eye(4)).max() < 0.06


def test_a_surrogate_keeps_spectra_and_covariance_and_not_the_times() -> None:
    samples = eeg()
    surrogate = phases_like(samples, seed=3)
    line = np.linspace(samples[0], samples[-1], len(samples))
    before = np.abs(np.fft.rfft((samples - line).astype(np.float64), axis=0))
    after = np.abs(np.fft.rfft((surrogate - line).astype(np.float64), axis=0))
    np.testing.assert_allclose(after, before, rtol=0.02, atol=0.01 * before.max(axis=0).min())
    np.testing.assert_allclose(
        np.corrcoef((surrogate - line).T), np.corrcoef((samples - line).T), atol=0.01
    )
    moving = np.diff(samples[:, 1]), np.diff(surrogate[:, 1])
    assert abs(np.corrcoef(*moving)[0, 1]) < 0.1


@pytest.mark.parametrize("kind", ["white", "phases"])
def test_what_is_no_number_stays_where_it_is(kind: str) -> None:
    samples = with_holes(eeg(1000))
    before = samples.copy()
    made = (
        white_like(samples, rate_hz=RATE_HZ, rng=np.random.default_rng(0))
        if kind == "white"
        else phases_like(samples, seed=0)
    )
    np.testing.assert_array_equal(np.isfinite(made), np.isfinite(samples))
    np.testing.assert_array_equal(samples, before)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous


def test_a_dead_channel_stays_dead() -> None:
    samples = eeg(1000)
    samples[:, 1] = 7.0
    assert np.ptp(white_like(samples, rate_hz=RATE_HZ, rng=np.random.default_rng(0))[:, 1]) == 0.0
    assert np.ptp(phases_like(samples, seed=0)[:, 1]) < 1e-3


def test_a_piece_of_another_trial_ends_where_the_own_ended() -> None:
    piece, own = eeg(400, seed=1), eeg(400, seed=2) + 900.0
    put = joined(piece, own)
    np.testing.assert_allclose(put[[0, -1]], own[[0, -1]], rtol=1e-5, atol=0.02)
    bent = np.diff(put.astype(np.float64) - piece, n=2, axis=0)
    assert np.abs(bent).max() < 0.1  # a line was added, and nothing else: to float32


def recordings(texts: list[list[tuple[str, int]]]) -> list[Any]:
    """Return recordings of texts and their lengths in samples."""
    found = []
    for spans in texts:
        at, items = 0, []
        for number, (text, length) in enumerate(spans):
            items.append(Item(number, text, at, at + length))
            at += length + 10
        found.append(SimpleNamespace(items=tuple(items), subject=""))
    return found


texts = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(20, 60)), min_size=1, max_size=6),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(0, 5))
def test_every_text_gets_the_eeg_of_another_text(
    spans: list[list[tuple[str, int]]], seed: int
) -> None:
    reels = recordings(spans)
    plan = others(reels, seed=seed)
    if len({text for several in spans for text, _ in several}) < 2:
        assert plan is None
        return
    assert plan is not None
    for (one, k), (other, j) in plan.items():
        assert reels[one].items[k].reference != reels[other].items[j].reference
    assert set(plan) == {(r, k) for r, several in enumerate(spans) for k in range(len(several))}
    assert others(reels, seed=seed) == plan


def test_the_other_is_of_like_length_and_of_the_same_recording_where_there_is_one() -> None:
    rng = np.random.default_rng(0)
    own = [(f"own {k}", int(n)) for k, n in enumerate(rng.integers(90, 110, 12))]
    there = [(f"there {k}", 100) for k in range(12)]
    plan = others(recordings([own, there]), seed=0)
    assert plan is not None
    assert all(one[0] == other[0] for one, other in plan.items())
    reels = recordings([[("short", 100), ("long", 500)], there])
    plan = others(reels, seed=0)
    assert plan is not None
    assert plan[0, 0][0] == 1  # 500 is not like 100
    length = reels[plan[0, 0][0]].items[plan[0, 0][1]]
    assert abs(length.stop - length.start - 100) <= LIKE * 100


def test_punctuation_makes_no_other_text() -> None:
    assert others(recordings([[("Hello!", 50), ("hello", 50)]]), seed=0) is None


class Kept:
    """A shelf that has everything in memory."""

    def __init__(self, *reels: Reel) -> None:
        self.reels = list(reels)

    def whole(self, number: int) -> Reel:
        return self.reels[number]


def shelf() -> Any:
    items = [Item(0, "a", 100, 400), Item(1, "b", 500, 820), Item(2, "c", 1700, 2000)]
    return Kept(
        reel(items, samples=eeg(2000, seed=1)),
        reel([Item(0, "d", 1800, 2000)], samples=eeg(2000, seed=2), name="s.xdf"),
    )


@pytest.mark.parametrize(("level", "n"), [("none", 0), ("quick", 3), ("full", 9)])
def test_a_level_has_its_inputs_each_of_its_own_and_the_same_again(level: Any, n: int) -> None:
    given_shelf = shelf()
    inputs = control_inputs(level, given_shelf, seed=4)
    assert len({one.name for one in inputs}) == n
    made = []
    for one, again in zip(inputs, control_inputs(level, shelf(), seed=4), strict=True):
        for number, whole in enumerate(given_shelf.reels):
            before = whole.samples.copy()
            samples = one.make(number, whole)
            np.testing.assert_array_equal(whole.samples, before)
            assert samples.shape == whole.samples.shape
            np.testing.assert_array_equal(samples, again.make(number, whole))
            if "trial" not in one.name:  # of four texts one may be drawn twice
                made.append(samples.tobytes())
    assert len(set(made)) == len(made)


def test_another_trials_eeg_leaves_what_lies_between_trials() -> None:
    given_shelf = shelf()
    swap = next(one for one in control_inputs("quick", given_shelf, seed=0) if "trial" in one.name)
    whole = given_shelf.reels[0]
    samples = swap.make(0, whole)
    inside = np.zeros(2000, bool)
    for item in whole.items:
        inside[item.start : item.stop] = True
    np.testing.assert_array_equal(samples[~inside], whole.samples[~inside])
    for item in whole.items:
        moved = np.diff(samples[item.start : item.stop, 1])
        own = np.diff(whole.samples[item.start : item.stop, 1])
        assert abs(np.corrcoef(moved, own)[0, 1]) < 0.3
