from __future__ import annotations

import threading
from collections import deque

import numpy as np
import pytest

from pipeline.errors import StreamLost
from pipeline.values import Batch, Event, Marker, Text
from runtime.engine import Engine, open_engine
from runtime.live import Decoded, LiveStream
from runtime.source import StreamInfo
from tests.bundles import CHANNELS, RATE_HZ, make_bundle


class Played:
    """A source that hands over given batches, then nothing until it is stopped."""

    def __init__(self, batches: list[Batch], *, after: threading.Event) -> None:
        self.batches = deque(batches)
        self.after = after
        self.n_refusals = 0
        self.is_closed = False

    def open(self, timeout_s: float | None) -> StreamInfo:
        if self.n_refusals:
            self.n_refusals -= 1
            raise StreamLost("not yet")
        return StreamInfo(name="played", source_id="p", rate_hz=RATE_HZ, channels=CHANNELS)

    def pull(self, timeout_s: float) -> Batch | None:
        if not self.batches:
            self.after.set()
            return None
        return self.batches.popleft()

    def lsl_time(self, sample_index: int) -> float:
        return sample_index / RATE_HZ

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("live") / "b"
    make_bundle(path)
    return open_engine(path)


def batches(n_batches: int, size: int = 20) -> list[Batch]:
    rng = np.random.default_rng(0)
    return [
        Batch(k * size, (20 * rng.standard_normal((size, len(CHANNELS)))).astype(np.float32))
        for k in range(n_batches)
    ]


def play(
    engine: Engine, given: list[Batch], *, ring_s: float = 10.0
) -> tuple[LiveStream, list[Decoded]]:
    """Read everything first and decode afterwards: the decode thread at its slowest."""
    posted: list[Decoded] = []
    after = threading.Event()
    source = Played(given, after=after)
    source.n_refusals = 2
    live = LiveStream(
        source, engine.chain(), fits=lambda _: None, post=posted.append, ring_s=ring_s
    )
    reader = threading.Thread(target=live.read_forever, args=(None,))
    reader.start()
    assert after.wait(10)
    live.stop()
    reader.join(10)
    live.decode_forever()
    assert source.is_closed
    return live, posted


def test_everything_read_is_decoded(engine: Engine) -> None:
    live, posted = play(engine, batches(50))
    assert live.chain.counters["windows_decoded"] == 50
    assert live.n_overrun == 0
    direct = engine.chain()
    expected = [o for b in batches(50) for o in direct.push(b.samples)] + direct.finish()
    texts = [o for d in posted for o in d.outputs if isinstance(o, Text)]
    assert [(t.kind, t.text, t.samples) for t in texts] == [
        (o.kind, o.text, o.samples) for o in expected if isinstance(o, Text)
    ]


def test_an_overrun_is_counted_told_and_keeps_the_indices_true(engine: Engine) -> None:
    live, posted = play(engine, batches(50), ring_s=1.0)
    assert live.n_overrun == 1000 - 250
    assert live.chain.n_samples == 1000
    events = [o for d in posted for o in d.outputs if isinstance(o, Event)]
    assert [(e.kind, e.sample, e.figures["n_samples"]) for e in events] == [("overrun", 0, 750)]


def test_markers_and_events_keep_their_place(engine: Engine) -> None:
    given = batches(3)
    given[1] = Batch(
        20,
        given[1].samples,
        (Marker("control:pause", 25, 25),),
        (Event("gap", 22, 30, {"n_samples": 4}),),
    )
    live, posted = play(engine, given)
    kinds = [o.kind for d in posted for o in d.outputs if isinstance(o, Event)]
    assert kinds == ["pause", "gap"]
    assert (live.n_lost, live.n_markers) == (4, 1)
    assert live.chain.is_paused


def test_an_injected_event_is_placed_where_the_chain_is(engine: Engine) -> None:
    told: list[Event] = []
    source = Played([], after=threading.Event())
    live = LiveStream(
        source,
        engine.chain(),
        fits=lambda _: None,
        post=lambda _: None,
        ring_s=1.0,
        on_input=told.append,
    )
    live.inject("pause", "control")
    live.stop()
    live.read_forever(None)
    live.decode_forever()
    assert [(e.kind, e.sample, e.known_at) for e in told] == [("pause", 0, 0)]


def test_a_stream_that_is_not_found_in_time_is_lost(engine: Engine) -> None:
    source = Played([], after=threading.Event())
    source.n_refusals = 10**9
    live = LiveStream(source, engine.chain(), fits=lambda _: None, post=lambda _: None, ring_s=1.0)
    with pytest.raises(StreamLost):
        live.read_forever(0.01)
    live.decode_forever()  # ends, since the reader has ended


def test_between_steps_is_called_by_the_decode_thread_before_each(engine: Engine) -> None:
    called: list[tuple[int, int]] = []
    source = Played(batches(3), after=threading.Event())
    live = LiveStream(source, engine.chain(), fits=lambda _: None, post=lambda _: None, ring_s=9.0)
    live.between_steps = lambda: called.append((threading.get_ident(), live.chain.n_samples))
    reader = threading.Thread(target=live.read_forever, args=(None,))
    reader.start()
    assert source.after.wait(10)
    live.stop()
    reader.join(10)
    live.decode_forever()
    assert called == [(threading.get_ident(), n) for n in (0, 20, 40, 60)]
