import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.quantization.rounding import round_4, round_8

shapes = st.tuples(st.integers(1, 70), st.integers(1, 5))


@settings(max_examples=60, deadline=None)
@given(shape=shapes, seed=st.integers(0, 1000), size=st.sampled_from([0.0, 1e-6, 1.0, 1e4]))
def test_eight_bits_are_off_by_half_a_step_at_most(shape, seed, size):
    weights = (size * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)
    found = round_8(weights)
    assert found.products().dtype == np.int8
    assert np.all(np.abs(found.weights() - weights) <= found.scale * 0.5001)


@settings(max_examples=60, deadline=None)
@given(shape=shapes, seed=st.integers(0, 1000), size=st.sampled_from([0.0, 1e-6, 1.0, 1e4]))
def test_four_bits_multiply_as_int8_and_are_near(shape, seed, size):
    weights = (size * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)
    found = round_4(weights)
    assert found.factors is not None
    assert np.abs(found.numbers).max() <= 7
    assert found.products().shape == shape
    assert np.abs(found.products().astype(int)).max() <= 126
    largest = np.abs(weights).max(axis=0)
    assert np.all(np.abs(found.weights() - weights) <= 0.5 * largest + 1e-9)


def test_weights_on_the_grid_are_kept_exactly():
    numbers = np.random.default_rng(0).integers(-127, 128, (40, 6))
    numbers[0] = 127
    assert np.array_equal(round_8(numbers.astype(np.float32)).products(), numbers)


@pytest.mark.parametrize(("rounds", "at_most"), [(round_8, 0.01), (round_4, 0.11)])
def test_noise_is_small_beside_the_weights(rounds, at_most):
    weights = np.random.default_rng(0).standard_normal((256, 64)).astype(np.float32)
    off = rounds(weights).weights() - weights
    assert np.sqrt(np.mean(off**2)) < at_most * np.sqrt(np.mean(weights**2))
