"""What a live chain took, in which order, is what a replay of its recording takes."""

from __future__ import annotations

import tempfile
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.values import Batch, Event, Marker, Output, Text, Times
from runtime.config import Record, Stream
from runtime.engine import Engine, open_engine
from runtime.inputs import RecordedSource, StreamInputs
from runtime.live import Decoded, LiveStream
from runtime.recordings.recorder import Recorder
from runtime.recordings.source import RecordingSource
from runtime.source import RawStream, StreamInfo, drain
from tests.bundles import CHANNELS, RATE_HZ, make_bundle

RAW = RawStream("cap", "cap-1", RATE_HZ, "float32", CHANNELS, "microvolts")


@dataclass(frozen=True)
class Step:
    """What a source gives at once: samples, texts of markers, kinds of events; or an injection."""

    n_samples: int = 0
    markers: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    inject: str | None = None


class Tapped:
    """A source of given steps that tells its tap as the LSL source does: markers before events."""

    def __init__(self, steps: list[Step], tap: Recorder) -> None:
        self.steps = deque(steps)
        self.tap = tap
        self.n_samples = 0
        self.live: LiveStream

    def open(self, timeout_s: float | None) -> StreamInfo:
        return StreamInfo(name="cap", source_id="cap-1", rate_hz=RATE_HZ, channels=CHANNELS)

    def pull(self, timeout_s: float) -> Batch | None:
        if not self.steps:
            self.live.stop()
            return None
        step = self.steps.popleft()
        if step.inject is not None:
            self.live.inject(step.inject, "control")
            return None
        first, stop = self.n_samples, self.n_samples + step.n_samples
        self.n_samples = stop
        rng = np.random.default_rng(first)
        samples = (20 * rng.standard_normal((step.n_samples, len(CHANNELS)))).astype(np.float32)
        markers = tuple(Marker(text, max(0, stop - 5), stop) for text in step.markers)
        events = tuple(Event(kind, max(0, stop - 3), stop) for kind in step.events)
        self.tap.samples(samples, np.arange(first, stop) / RATE_HZ)
        for marker in markers:
            self.tap.marker(marker, marker.index / RATE_HZ)
        for event in events:
            self.tap.event(event)
        return Batch(first, samples, markers, events)

    def lsl_time(self, sample_index: int) -> float:
        return sample_index / RATE_HZ

    def close(self) -> None:
        return


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("inputs") / "b"
    make_bundle(path, head="selection")
    return open_engine(path)


def lived(engine: Engine, steps: list[Step], path: Path) -> list[Output]:
    """Run steps through a live stream that is recorded; everything is read before it is decoded."""
    recorder = Recorder(path, RAW)
    source = Tapped(steps, recorder)
    posted: list[Decoded] = []
    chain = engine.chain()
    source.live = live = LiveStream(
        RecordedSource(source, end_batch=recorder.end_batch),
        chain,
        fits=lambda _: None,
        post=posted.append,
        ring_s=100.0,
        on_input=lambda event: recorder.event_beside(event, after_markers=chain.n_markers),
    )
    live.read_forever(None)
    live.decode_forever()
    recorder.close()
    assert recorder.failure is None
    return [untimed(output) for decoded in posted for output in decoded.outputs]


def replayed(engine: Engine, path: Path, chunk_samples: int) -> list[Output]:
    source = RecordingSource(path, chunk_samples=chunk_samples)
    source.open(None)
    chain = engine.chain()
    outputs: list[Output] = []
    for batch in drain(source):
        outputs += chain.push(batch.samples, batch.markers, batch.events)
    return [untimed(output) for output in outputs + chain.finish()]


def untimed(output: Output) -> Output:
    return replace(output, times=Times()) if isinstance(output, Text) else output


def test_the_end_of_a_trial_is_heard_before_the_end_of_the_stream(
    engine: Engine, tmp_path: Path
) -> None:
    end, lost = Step(0, ("trial:end",)), Step(0, (), ("stream_lost",))
    outputs = lived(engine, [Step(100, ("trial:start",)), end, lost], tmp_path / "a.xdf")
    assert [output.kind for output in outputs] == ["abstained", "stream_lost"]
    assert isinstance(outputs[0], Event)
    assert outputs[0].figures["reason"] != "stream_ended"
    assert replayed(engine, tmp_path / "a.xdf", 64) == outputs


@pytest.mark.parametrize("before", [True, False])
def test_a_pause_is_before_or_after_the_markers_it_was_between(
    engine: Engine, tmp_path: Path, *, before: bool
) -> None:
    marks, pause = Step(0, ("trial:start", "stim:on")), Step(inject="pause")
    steps = [Step(100), *((pause, marks) if before else (marks, pause)), Step(300)]
    outputs = lived(engine, steps, tmp_path / "a.xdf")
    kinds = [output.kind for output in outputs]
    assert kinds == (["pause"] if before else ["pause", "abstained"])
    assert replayed(engine, tmp_path / "a.xdf", 50) == outputs


def test_a_pause_before_there_is_a_stream_is_recorded_too(engine: Engine, tmp_path: Path) -> None:
    stream = Stream(name="bench1", lsl="name='none'", bundle="b")
    record = Record(directory=tmp_path)
    inputs = StreamInputs(stream, engine, record, "s1", every_decode=False)
    pause = Event("pause", 0, 0, {"by": "control"})
    inputs.on_input(pause, 0)
    tap = inputs._make_recorder(RAW)
    tap.samples(np.ones((50, len(CHANNELS)), np.float32), np.arange(50) / RATE_HZ)
    inputs.close()
    source = RecordingSource(tmp_path / "bench1-s1.xdf")
    source.open(None)
    assert [event for batch in drain(source) for event in batch.events] == [pause]


texts = st.lists(
    st.sampled_from(["trial:start", "stim:on", "trial:end", "label:A", "control:pause"]),
    max_size=3,
).map(tuple)
batches = st.builds(
    Step,
    st.sampled_from([0, 0, 1, 40, 130]),
    texts,
    st.sampled_from([(), (), ("gap",), ("stream_lost", "stream_found")]),
)
injections = st.sampled_from(["pause", "resume"]).map(lambda kind: Step(inject=kind))


def untied(steps: list[Step]) -> list[Step]:
    """Leave out the events of an empty batch that an injection comes before: who is first there is
    not recorded, for the decode thread may be behind the reader.
    """
    kept, is_tied = [Step(60)], False
    for step in steps:
        is_tied = (is_tied and not step.n_samples) or step.inject is not None
        kept.append(replace(step, events=()) if is_tied else step)
    return kept


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(batches | injections, max_size=12).map(untied), chunk=st.integers(1, 200))
def test_any_recorded_session_replays_to_the_letter(
    engine: Engine, steps: list[Step], chunk: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xdf"
        outputs = lived(engine, steps, path)
        assert replayed(engine, path, chunk) == outputs
