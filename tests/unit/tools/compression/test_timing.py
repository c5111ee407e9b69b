import gc

import numpy as np
import pytest

from tools.compression.timing import N_WARM_UP, percentiles_ms, ratio, time_blocks


class Recorder:
    def __init__(self, name: str, said: list[tuple[str, float]]) -> None:
        self.name, self.said = name, said

    def run(self, window: np.ndarray) -> None:
        self.said.append((self.name, float(window[0, 0])))


def test_models_take_turns_in_an_order_that_is_reversed_every_time():
    said: list[tuple[str, float]] = []
    windows = np.arange(7, dtype=np.float32).reshape(7, 1, 1)
    models = {name: Recorder(name, said) for name in "AB"}
    taken = time_blocks(models, windows, n_blocks=4, n_windows=3)
    per_block = N_WARM_UP + 3
    assert [said[k * per_block][0] for k in range(8)] == list("ABBAABBA")
    assert taken["A"].shape == (4, 3)
    assert [w for n, w in said if n == "A"] == [w for n, w in said if n == "B"]
    assert gc.isenabled()


def test_ratio_of_a_model_with_itself_is_one_and_of_half_the_time_is_half():
    rng = np.random.default_rng(0)
    slow = 1.0 + rng.exponential(0.1, (20, 50))
    same = ratio(slow, slow, n_draws=50)
    assert (same.p50, same.p99, same.p99_high) == (1.0, 1.0, 1.0)
    half = ratio(slow / 2, slow, n_draws=50)
    assert half.p99_high == pytest.approx(0.5)
    assert half.p99_low == pytest.approx(0.5)


def test_a_tail_in_one_block_widens_the_interval():
    steady = np.ones((20, 50))
    stalls = steady.copy()
    stalls[3, :20] = 9.0
    found = ratio(stalls, steady, n_draws=200)
    assert found.p99_low == pytest.approx(1.0)
    assert found.p99_high == pytest.approx(9.0)


def test_unequal_blocks_are_refused():
    with pytest.raises(ValueError, match="got 2 blocks, must be 3"):
        ratio(np.ones((2, 5)), np.ones((3, 5)))


def test_percentiles_are_of_all_calls():
    assert percentiles_ms(np.ones((2, 5))) == {"p50": 1.0, "p99": 1.0}
