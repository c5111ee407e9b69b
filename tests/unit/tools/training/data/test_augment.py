from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.training.data.augment import Augmentation, augment
from tools.training.data.example import Example

N_CHANNELS, N_BANDS, RATE_HZ = 4, 2, 100.0
ALL = Augmentation(shift_s=0.5, mix=0.5, gain_db=6.0, noise=0.3, drop=0.2)


def example(n_samples: int = 300, rest: tuple[int, int] = (100, 80)) -> Example:
    rng = np.random.default_rng(n_samples)
    samples = rng.standard_normal((n_samples, N_BANDS * N_CHANNELS)).astype(np.float32)
    samples.setflags(write=False)
    on = np.zeros(n_samples, np.int64)
    on[rest[0] : n_samples - rest[1]] = 2
    return Example(samples, (2, 1), on, rest)


def changed(
    given_example: Example, augmentation: Augmentation, number: tuple[int, int, int] = (0, 0, 0)
) -> Example:
    rest = np.random.default_rng(5).standard_normal((70, N_BANDS * N_CHANNELS)).astype(np.float32)
    return augment(
        given_example, augmentation, number=number, rate_hz=RATE_HZ, n_channels=N_CHANNELS,
        background=lambda rng: rest,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        Augmentation,
        chance=st.floats(0, 1), shift_s=st.floats(0, 3), mix=st.floats(0, 2),
        gain_db=st.floats(0, 20), noise=st.floats(0, 2), drop=st.floats(0, 0.9),
    ),
    st.tuples(st.integers(0, 9), st.integers(0, 1 << 40), st.integers(0, 99)),
    st.integers(1, 300), st.integers(0, 200), st.integers(0, 200),
)  # fmt: skip
def test_labels_and_lengths_stay_and_every_symbol_stays_inside(
    augmentation: Augmentation, number: tuple[int, int, int], n_text: int, before: int, after: int
) -> None:
    whole = example(before + n_text + after, (before, after))
    found = changed(whole, augmentation, number)
    again = changed(whole, augmentation, number)
    assert found.labels == whole.labels
    assert found.samples.shape == whole.samples.shape
    assert found.samples.dtype == np.float32
    assert np.isfinite(found.samples).all()
    np.testing.assert_array_equal(found.samples, again.samples)
    assert found.on is not None
    symbols = np.flatnonzero(found.on)
    assert len(symbols) == n_text
    assert symbols[-1] - symbols[0] == n_text - 1, "in one piece"
    assert found.rest == (symbols[0], len(found.on) - 1 - symbols[-1])
    assert min(found.rest) >= min(before, after) // 2


def test_off_by_default_and_by_chance() -> None:
    whole = example()
    assert Augmentation().is_off
    assert not ALL.is_off
    assert changed(whole, Augmentation()) is whole
    never = msgspec.structs.replace(ALL, chance=0.0)
    assert never.is_off
    half = msgspec.structs.replace(ALL, chance=0.5)
    n_touched = sum(changed(whole, half, (0, 0, row)) is not whole for row in range(200))
    assert 70 < n_touched < 130


def test_numbers_decide_what_is_drawn() -> None:
    whole = example()
    one = changed(whole, ALL, (1, 2, 3))
    for number in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert not np.array_equal(one.samples, changed(whole, ALL, number).samples)


def test_shift_moves_all_channels_alike() -> None:
    whole = example()
    shifts = set()
    for row in range(60):
        found = changed(whole, Augmentation(shift_s=0.3), (0, 0, row))
        shift = found.rest[0] - whole.rest[0]
        np.testing.assert_array_equal(found.samples, np.roll(whole.samples, shift, axis=0))
        shifts.add(shift)
    assert min(shifts) < -15
    assert max(shifts) > 15
    assert max(map(abs, shifts)) <= 30


def test_gain_and_drop_are_one_for_a_channel_in_all_of_its_bands() -> None:
    whole = example()
    louder = changed(whole, Augmentation(gain_db=6.0)).samples / whole.samples
    gains = louder[0].reshape(N_BANDS, N_CHANNELS)
    np.testing.assert_allclose(louder, np.broadcast_to(louder[0], louder.shape), rtol=1e-5)
    np.testing.assert_allclose(gains[0], gains[1], rtol=1e-5)
    assert len(set(np.round(gains[0], 4))) == N_CHANNELS
    assert (np.abs(20 * np.log10(gains)) <= 6.001).all()
    n_dropped = []
    for row in range(100):
        silent = ~changed(whole, Augmentation(drop=0.3), (0, 0, row)).samples.any(axis=0)
        bands = silent.reshape(N_BANDS, N_CHANNELS)
        assert (bands[0] == bands[1]).all()
        n_dropped.append(int(bands[0].sum()))
    assert max(n_dropped) < N_CHANNELS, "never all of them"
    assert 0.2 < np.mean(n_dropped) / N_CHANNELS < 0.4


def test_noise_is_relative_to_each_channel_and_mixing_keeps_the_power() -> None:
    whole = example(3000)
    scaled = dataclasses.replace(whole, samples=whole.samples * np.float32(50.0))
    added = changed(scaled, Augmentation(noise=0.5)).samples - scaled.samples
    assert 0 < added.std() < 0.5 * 50 * 1.1
    for row in range(20):
        mixed = changed(whole, Augmentation(mix=1.0), (0, 0, row)).samples
        assert 0.9 < mixed.std() < 1.1
        assert not np.array_equal(mixed, whole.samples)


def test_without_rest_nothing_is_mixed() -> None:
    whole = example()
    for background in (None, lambda rng: np.empty((0, 8), np.float32)):
        found = augment(
            whole, Augmentation(mix=1.0), number=(0, 0, 0), rate_hz=RATE_HZ, n_channels=N_CHANNELS,
            background=background,
        )  # fmt: skip
        np.testing.assert_array_equal(found.samples, whole.samples)


@pytest.mark.parametrize(
    ("name", "value"), [("chance", 1.1), ("drop", -0.1), ("noise", float("nan")), ("shift_s", 11.0)]
)
def test_numbers_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name}: got"):
        Augmentation(**{name: value})
    with pytest.raises(msgspec.ValidationError, match=f"{name}: got"):
        msgspec.convert({name: value}, Augmentation)
