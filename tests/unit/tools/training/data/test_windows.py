from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordingError
from tools.training.data.example import Example
from tools.training.data.examples import UNKNOWN
from tools.training.data.windows import (
    CUT_SHARE,
    Window,
    WindowCut,
    Windows,
    collate_windows,
    symbol_runs,
)

CUT = WindowCut(window_samples=60, patch_samples=5, settle_samples=7, cut_chance=0.0)


def example_of(runs: list[tuple[int, int, int]], n_samples: int) -> Example:
    """Return samples that are their own numbers, with ``(label, start, stop)`` on."""
    on = np.zeros(n_samples, np.int64)
    for label, start, stop in runs:
        on[start:stop] = label
    samples = np.arange(2 * n_samples, dtype=np.float32).reshape(n_samples, 2)
    return Example(samples, tuple(label for label, _, _ in runs), on)


@st.composite
def typed(draw: st.DrawFn) -> tuple[list[tuple[int, int, int]], int]:
    """Return runs of symbols with a rest before each, double letters too, and the samples."""
    at, runs = 0, []
    for _ in range(draw(st.integers(0, 12))):
        start = at + draw(st.integers(1, 8))
        at = start + draw(st.integers(3, 14))
        runs.append((draw(st.integers(1, 3)), start, at))
    return runs, max(at + draw(st.integers(0, 20)), 60)


@given(session=typed(), where=st.floats(0, 1), chance=st.sampled_from([0.0, 1.0]))
def test_a_window_has_the_symbols_that_lie_inside_it(
    session: tuple[list[tuple[int, int, int]], int], where: float, chance: float
) -> None:
    runs, n_samples = session
    start = round(where * (n_samples - 60))
    cut = WindowCut(window_samples=60, patch_samples=5, settle_samples=7, cut_chance=chance)
    window = cut.window(example_of(runs, n_samples), start, np.random.default_rng(0))

    expected = []
    for label, first, stop in runs:
        n_seen = sum(start <= sample < start + 60 for sample in range(first, stop))
        has_ended = stop + 7 <= start + 60
        is_whole = first >= start
        is_mostly = n_seen / (stop - first) >= CUT_SHARE and chance == 1.0
        if has_ended and n_seen and (is_whole or is_mostly):
            frames = {(s - start) // 5 for s in range(first, stop) if start <= s < start + 60}
            expected.append((label, min(frames), max(frames) + 1))
    assert window.labels == tuple(label for label, _, _ in expected)
    assert window.spans is not None
    assert window.on is not None
    assert window.spans.tolist() == [[first, stop] for _, first, stop in expected]
    np.testing.assert_array_equal(window.samples[:, 0], np.arange(start, start + 60) * 2)
    on = example_of(runs, n_samples).on
    assert on is not None
    assert window.on.tolist() == [on[start + 5 * k + 4] for k in range(12)]
    assert symbol_runs(on) == runs


def test_a_symbol_that_is_cut_belongs_now_and_then() -> None:
    example = example_of([(1, 20, 40), (2, 50, 60)], 100)
    cut = WindowCut(window_samples=60, patch_samples=5, settle_samples=7)
    rng = np.random.default_rng(0)
    half = [cut.window(example, 28, rng).labels for _ in range(200)]
    assert 60 < half.count((1, 2)) < 140
    assert set(half) == {(1, 2), (2,)}
    assert {cut.window(example, 36, rng).labels for _ in range(50)} == {(2,)}


def test_side_by_side_each_has_its_end_and_nothing_behind_it() -> None:
    samples = np.ones((20, 2), np.float32)
    batch = collate_windows(
        [
            Window(samples, (3, 1), np.array([[0, 1], [1, 3]]), np.array([3, 1, 1, 0])),
            Window(samples[:10], ()),
        ],
        patch_samples=5,
    )
    assert batch.n_frames.tolist() == [4, 2]
    assert batch.labels.tolist() == [[3, 1, 0], [0, UNKNOWN, UNKNOWN]]
    assert batch.spans.tolist() == [[[0, 1], [1, 3], [3, 4]], [[0, 0]] * 3]
    assert batch.on.tolist() == [[3, 1, 1, 0], [UNKNOWN] * 4]
    assert batch.samples[1, 10:].tolist() == [[0.0, 0.0]] * 10
    assert batch.samples[:, :10].all()


@dataclass(frozen=True)
class Given:
    """Sessions whose example of a row is ``sessions[row % len]``."""

    sessions: tuple[Example, ...]
    n_batch: int = 4

    def example(self, step: int, row: int, *, progress: float) -> Example:
        return self.sessions[(step + row) % len(self.sessions)]

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> object:
        raise AssertionError("whole sessions were asked for")


def windows_of(*sessions: Example, per_session: int = 1, max_symbols: int = 9) -> Windows:
    return Windows(Given(sessions), CUT, max_symbols=max_symbols, seed=1, per_session=per_session)


def test_a_batch_is_a_function_of_its_number_and_its_rows_come_alone_too() -> None:
    sessions = [example_of([(k, 10, 20), (3, 30 + k, 50)], 90 + k) for k in (1, 2, 3)]
    windows = windows_of(*sessions, per_session=2)
    whole = windows.batch(5, progress=0.1)
    assert windows.n_batch == len(whole.samples) == 4
    for row in range(4):
        alone = windows.batch(5, progress=0.1, rows=slice(row, row + 1))
        np.testing.assert_array_equal(alone.samples[0], whole.samples[row])
        n_labels = int((alone.labels[0] != UNKNOWN).sum())
        np.testing.assert_array_equal(alone.labels[0], whole.labels[row, :n_labels])
    starts = whole.samples[:, 0, 0]
    assert len(set(starts.tolist())) > 1
    assert not np.array_equal(windows.batch(6, progress=0.1).samples, whole.samples)


def test_without_timing_a_window_is_the_whole_of_a_text() -> None:
    samples = np.ones((83, 2), np.float32)
    batch = windows_of(Example(samples, (1, 2)), Example(np.ones((500, 2), np.float32), ())).batch(
        0, progress=0.0
    )
    assert batch.n_frames.tolist() == [16, 12, 16, 12]
    assert batch.labels.tolist() == [[1, 2, 0], [0, UNKNOWN, UNKNOWN]] * 2
    assert not batch.spans.any()
    assert (batch.on == UNKNOWN).all()


def test_a_session_shorter_than_a_window_is_passed_over() -> None:
    short, long = example_of([], 59), example_of([(1, 5, 15)], 60)
    windows = Windows(Given((short, long), n_batch=1), CUT, max_symbols=9, seed=1)
    assert windows.batch(0, progress=0.0).labels.tolist() == [[1, 0]]
    with pytest.raises(RecordingError, match="sessions are shorter than a window of 60 samples"):
        windows_of(short).batch(0, progress=0.0)


def test_a_text_longer_than_the_network_can_write_is_refused() -> None:
    with pytest.raises(RecordingError, match="has 3 symbols, wanted at most 2"):
        windows_of(Example(np.ones((83, 2), np.float32), (1, 2, 1)), max_symbols=3).batch(
            0, progress=0.0
        )
