from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ring import Ring, RingReader


def counted(start: int, n_samples: int) -> np.ndarray:
    return np.arange(start, start + n_samples, dtype=np.float32)[:, np.newaxis] * np.ones(
        (1, 2), np.float32
    )


@given(capacity=st.integers(1, 20), sizes=st.lists(st.integers(0, 50), max_size=12), data=st.data())
def test_ring_equals_a_list(capacity: int, sizes: list[int], data: st.DataObject) -> None:
    ring, model = Ring(capacity, 2), []
    for size in sizes:
        ring.write(counted(len(model), size))
        model.extend(range(len(model), len(model) + size))
        assert ring.n_written == len(model)
        assert ring.oldest == max(0, len(model) - capacity)
        start = data.draw(st.integers(0, len(model)))
        n_samples = data.draw(st.integers(0, len(model) - start + 2))
        if start < ring.oldest or start + n_samples > len(model):
            with pytest.raises(IndexError):
                ring.view(start, n_samples)
        else:
            run = ring.view(start, n_samples)
            assert run[:, 0].tolist() == model[start : start + n_samples]
            assert run.flags.c_contiguous
            assert not run.flags.writeable
            assert run.base is not None  # a view, never a copy


@given(
    capacity=st.integers(1, 20), steps=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)))
)
def test_what_is_overrun_is_counted_exactly(capacity: int, steps: list[tuple[int, int]]) -> None:
    ring = Ring(capacity, 2)
    reader = RingReader(ring, n_channels=2)
    n_read = n_lost = 0
    for n_write, n_take in steps:
        ring.write(counted(ring.n_written, n_write))
        samples, lost = reader.read(n_take)
        assert samples[:, 0].tolist() == list(range(n_read + n_lost + lost, reader.position))
        n_read, n_lost = n_read + len(samples), n_lost + lost
        assert reader.position == n_read + n_lost


def test_a_racing_writer_never_shows_a_torn_sample() -> None:
    ring = Ring(64, 2)
    reader = RingReader(ring, n_channels=2)
    n_total = 20_000

    def write() -> None:
        for start in range(0, n_total, 20):
            ring.write(counted(start, 20))

    writer = threading.Thread(target=write)
    writer.start()
    n_read = n_lost = 0
    while n_read + n_lost < n_total:
        samples, lost = reader.read(50)
        n_lost += lost
        expected = np.arange(n_read + n_lost, n_read + n_lost + len(samples))
        assert np.array_equal(samples[:, 0], expected)
        assert np.array_equal(samples[:, 1], expected)
        n_read += len(samples)
    writer.join()


def test_a_ring_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted 1 or more of each"):
        Ring(0, 3)
