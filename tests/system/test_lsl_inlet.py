"""The inlet against a real outlet: it waits for as many samples as are wanted, and loses none."""

from __future__ import annotations

import threading
import time
import uuid

import numpy as np
import pylsl
import pytest

from pipeline.errors import StreamLost
from runtime.lsl.inlet import NumericInlet, resolve

pytestmark = pytest.mark.live

N_CHANNELS = 3


def outlet(channel_format: int = pylsl.cf_float32) -> tuple[pylsl.StreamOutlet, str]:
    name = f"inlet-{uuid.uuid4().hex[:8]}"
    info = pylsl.StreamInfo(name, "EEG", N_CHANNELS, 250.0, channel_format, name)
    return pylsl.StreamOutlet(info), name


def connect(made: pylsl.StreamOutlet, name: str) -> NumericInlet:
    found = resolve(f"name='{name}'", 10.0)
    assert found is not None
    inlet = NumericInlet(found)
    assert made.wait_for_consumers(10.0)
    return inlet


@pytest.mark.parametrize("channel_format", [pylsl.cf_float32, pylsl.cf_double64, pylsl.cf_int16])
def test_waits_for_the_wanted_samples_and_gives_no_more(channel_format: int) -> None:
    made, name = outlet(channel_format)
    inlet = connect(made, name)
    sent = np.arange(30 * N_CHANNELS).reshape(30, N_CHANNELS)
    try:
        pusher = threading.Thread(target=_push_singly, args=(made, sent))
        pusher.start()
        parts = []
        for n_wanted in (10, 5):
            values, stamps = inlet.pull(5.0, n_wanted)
            assert len(values) == len(stamps) == n_wanted
            assert (np.diff(stamps) > 0).all()
            parts.append(values.copy())
        pusher.join()
        deadline_s = time.monotonic() + 5.0
        while sum(map(len, parts)) < len(sent) and time.monotonic() < deadline_s:
            parts.append(inlet.pull(0.2)[0].copy())  # one is wanted: all that have come
        assert np.array_equal(np.concatenate(parts), sent)
    finally:
        inlet.close()


def test_of_fewer_than_wanted_gives_what_there_is() -> None:
    made, name = outlet()
    inlet = connect(made, name)
    try:
        made.push_chunk(np.ones((4, N_CHANNELS), dtype=np.float32).tolist())
        values, stamps = inlet.pull(1.0, 10)
        assert values.shape == (4, N_CHANNELS)
        assert len(stamps) == 4
    finally:
        inlet.close()


def test_an_outlet_that_has_gone_is_told_once_its_samples_are_taken() -> None:
    made, name = outlet()
    inlet = connect(made, name)
    try:
        made.push_chunk(np.ones((4, N_CHANNELS), dtype=np.float32).tolist())
        assert len(inlet.pull(1.0, 4)[0]) == 4
        del made
        with pytest.raises(StreamLost, match="gone"):
            for _ in range(20):
                inlet.pull(0.5, 10)
    finally:
        inlet.close()


def _push_singly(made: pylsl.StreamOutlet, rows: np.ndarray) -> None:  # type: ignore[type-arg]
    for row in rows:
        made.push_sample(row.tolist())
        time.sleep(0.002)
