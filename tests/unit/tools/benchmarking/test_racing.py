import numpy as np
import pytest

from tools.benchmarking.racing import YARDSTICK, Fed, Yardstick, against, race


class Recorder:
    def __init__(self) -> None:
        self.heard: list[float] = []

    def run(self, window: np.ndarray) -> None:
        self.heard.append(float(window[0, 0]))


def test_bundles_hear_their_own_windows_and_the_yardstick_runs_beside_them():
    one, other = Recorder(), Recorder()
    runners = {
        ("a", "x"): Fed(one, np.arange(3, dtype=np.float32).reshape(3, 1, 1)),
        ("b", "x"): Fed(other, 10 + np.arange(5, dtype=np.float32).reshape(5, 1, 1)),
    }
    done: list[int] = []
    taken, others = race(runners, n_blocks=2, n_windows=6, on_block=done.append)
    assert set(taken) == {YARDSTICK, *runners}
    assert all(times.shape == (2, 6) and (times > 0).all() for times in taken.values())
    assert set(one.heard) == {0.0, 1.0, 2.0}
    assert set(other.heard) == {10.0, 11.0, 12.0, 13.0, 14.0}
    assert done == list(range(1, 7))
    assert others is None or others >= 0.0


def test_the_yardstick_does_the_same_work_every_time():
    window = np.zeros((1, 1), np.float32)
    found = {Yardstick().run(window + k) for k in range(3)}
    assert len(found) == 1
    assert len(found.pop()) == 32  # type: ignore[arg-type]


def test_against_has_the_true_ratio_within_its_bounds():
    rng = np.random.default_rng(0)
    slow = rng.normal(1.0, 0.02, (20, 1)) + rng.exponential(0.1, (20, 50))
    found = against(slow / 2 * rng.normal(1.0, 0.02, (20, 1)), slow)
    assert found.p50_low < found.p50 < found.p50_high
    assert found.p50_low < 0.5 < found.p50_high
    assert found.p99 == pytest.approx(0.5, abs=0.05)
