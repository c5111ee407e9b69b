from __future__ import annotations

import numpy as np
import pytest

from tools.packaging.same_output import ParityError, compare

RNG = np.random.default_rng(0)
LOGS = np.log(RNG.dirichlet(np.ones(5), size=(40, 3))).astype(np.float32)


def test_the_same_is_the_same() -> None:
    found = compare(LOGS, LOGS.copy(), tolerance=1e-4, is_memory=False, where="x")
    assert (found.difference, found.agreement, found.n_windows) == (0.0, 1.0, 40)


def test_unlikely_symbols_may_differ_in_their_logs() -> None:
    wanted = np.full((4, 1, 3), -40.0, np.float32)
    wanted[..., 0] = 0.0
    got = wanted - np.array([0.0, 5.0, 9.0], np.float32)
    assert compare(wanted, got, tolerance=1e-4, is_memory=False, where="x").difference < 1e-12


@pytest.mark.parametrize("shape", [(40, 3, 5), (40, 3, 1)])
def test_another_output_is_refused(shape: tuple[int, ...]) -> None:
    one, other = RNG.standard_normal((2, *shape)).astype(np.float32)
    with pytest.raises(ParityError, match="x: differs by .* nothing was written"):
        compare(one, other, tolerance=1e-2, is_memory=False, where="x")


def test_rows_that_tell_nothing_apart_may_differ_in_their_best_symbol() -> None:
    flat = np.zeros((10, 2, 4), np.float32)
    got = flat + 1e-4 * RNG.standard_normal(flat.shape).astype(np.float32)
    assert compare(flat, got, tolerance=1e-2, is_memory=False, where="x").agreement == 1.0


def test_a_memory_is_compared_by_its_size() -> None:
    wanted = np.full((3, 2, 2), 1000.0, np.float32)
    found = compare(wanted, wanted + 5.0, tolerance=1e-2, is_memory=True, where="x")
    assert found.difference == pytest.approx(5e-3)
    with pytest.raises(ParityError):
        compare(wanted * 0, wanted * 0 + 0.1, tolerance=1e-2, is_memory=True, where="x")


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ParityError):
        compare(LOGS, LOGS * np.nan, tolerance=1e-2, is_memory=False, where="x")
