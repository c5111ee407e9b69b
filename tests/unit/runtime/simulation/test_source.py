from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.paradigm import CHANNELS
from runtime.simulation.source import SimulatedSource
from runtime.simulation.synthesis import synthesise
from runtime.source import StreamEnded, drain


@given(st.integers(1, 700))
@settings(max_examples=15, deadline=None)
def test_chunks_add_up_to_the_session(chunk_samples: int) -> None:
    source = SimulatedSource("ab c", seed=3, chunk_samples=chunk_samples)
    info = source.open(None)
    assert info.channels == CHANNELS
    batches = list(drain(source))
    session = synthesise("ab c", seed=3)
    np.testing.assert_array_equal(np.concatenate([b.samples for b in batches]), session.samples)
    markers = [m for b in batches for m in b.markers]
    assert [(m.index, m.text) for m in markers] == session.truth()
    for batch in batches:
        for marker in batch.markers:
            assert batch.first <= marker.known_at <= batch.first + len(batch.samples)


def test_a_session_that_is_over_says_so_every_time() -> None:
    source = SimulatedSource("a", seed=1, chunk_samples=10_000)
    source.open(0.0)
    assert source.pull(0.0) is not None
    for _ in range(2):
        with pytest.raises(StreamEnded):
            source.pull(0.0)
    source.close()
    source.close()


def test_lsl_time_counts_seconds_from_the_first_sample() -> None:
    assert SimulatedSource("a", seed=1).lsl_time(500) == 2.0
