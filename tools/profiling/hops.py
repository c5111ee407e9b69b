"""A recording through the daemon's own chain, hop by hop: how long every stage of each hop took.

Samples come as they would live, a hop at a time, so that a decode waits for nothing but its own
work. The stages are those of the messages' ``latency_ms``; what a live daemon does beyond them, its
journal and sockets, a recording cannot show.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from pipeline.markers import PAUSE, RESUME
from pipeline.spec import SlidingWindow
from pipeline.values import Text, Times
from runtime.engine import check_fit
from runtime.recordings.source import RecordingSource
from runtime.session import Arrival, Session
from runtime.source import drain
from runtime.transcript import new_session
from runtime.wire.messages import encode
from tools.host.resident import resident_bytes
from tools.profiling.stages import StageClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.chain import Chain
    from pipeline.seq2seq import Stepper
    from pipeline.spec import PipelineSpec
    from pipeline.values import Output
    from runtime.engine import Engine
    from runtime.source import StreamInfo
    from tools.profiling.stages import Stage

LOOK_S = 0.02
"""How many samples come at once where windows follow stimuli: what a headset sends."""

N_MEMORY = 200
"""Of a recording, how often memory is looked at."""


@dataclass(frozen=True, slots=True)
class Hops:
    """What one recording took.

    ``ns`` (n_hops, n_stages) are hops in which something was decoded, stages as in
    :data:`tools.profiling.stages.OF_A_HOP`; ``spent_ns`` is by stage of the whole replay and
    ``total_ns`` that replay by a clock of its own. ``memory`` are samples done and resident bytes.
    """

    recording: str
    n_samples: int
    rate_hz: float
    chunk_samples: int
    ns: NDArray[np.int64]
    spent_ns: dict[Stage, int]
    total_ns: int
    n_decodes: int
    n_steps: int
    memory: tuple[tuple[int, int], ...]


def replay_hops(
    engine: Engine,
    path: Path,
    *,
    seconds: float | None = None,
    on_progress: Callable[[float], None] = lambda _share: None,
    under: AbstractContextManager[object] | None = None,
) -> Hops:
    """Replay a recording and time it.

    Args:
        engine: whose bundle it is for.
        path: the recording.
        seconds: of its beginning; None for all of it.
        on_progress: told how much is done, of 1.
        under: a profiler that the chain runs under.

    Raises:
        RecordingError: it cannot be read, or gives nothing to decode.
        BundleError: it is of another rate or has other channels than the bundle's.
    """
    chunk_samples = _chunk_samples(engine.spec)
    source = RecordingSource(path, channels=engine.spec.channels, chunk_samples=chunk_samples)
    info = source.open(None)
    check_fit(engine, info)
    n_samples = source.n_samples
    if seconds is not None:
        n_samples = min(n_samples, round(seconds * info.rate_hz))
    run = _Run(engine, source, info)
    with under or nullcontext():
        began_ns = time.perf_counter_ns()
        run.through(n_samples, on_progress)
        total_ns = time.perf_counter_ns() - began_ns
    source.close()
    if not run.rows:
        raise RecordingError(
            f"{path}: gives no decode in {run.chain.n_samples / info.rate_hz:g} s,"
            " wanted a longer one, or one with the bundle's stimuli"
        )
    return Hops(
        recording=path.name,
        n_samples=run.chain.n_samples,
        rate_hz=info.rate_hz,
        chunk_samples=chunk_samples,
        ns=np.array(run.rows, dtype=np.int64),
        spent_ns=run.clock.spent_ns,
        total_ns=total_ns,
        n_decodes=run.chain.n_decoded,
        n_steps=run.n_steps,
        memory=tuple(run.memory),
    )


def _chunk_samples(spec: PipelineSpec) -> int:
    if isinstance(spec.window, SlidingWindow):
        return spec.window.hop_samples
    return max(1, round(LOOK_S * spec.rate_hz))


class _Run:
    """One pass; what it keeps are figures, and nothing of what was decoded."""

    def __init__(self, engine: Engine, source: RecordingSource, info: StreamInfo) -> None:
        self._source = source
        recorded = source.run
        every_decode = recorded is not None and recorded.every_decode
        names = {recorded.pause_marker: PAUSE, recorded.resume_marker: RESUME} if recorded else {}
        self.clock = StageClock()
        stepper = engine.stepper()
        self._stepper = None if stepper is None else _TimedStepper(stepper, self.clock)
        self.chain: Chain = engine.chain(
            stepper=self._stepper,
            marker_names=names,
            every_decode=every_decode,
            stopwatch_ns=time.perf_counter_ns,
            on_stage=self.clock.enter,
        )
        self._session = Session(
            stream=info.name,
            session=new_session(),
            engine=engine,
            lsl_time=source.lsl_time,
            every_decode=every_decode,
            now_ns=time.perf_counter_ns,
        )
        self.rows: list[tuple[int, ...]] = []
        self.memory: list[tuple[int, int]] = []

    @property
    def n_steps(self) -> int:
        """Steps of a network that writes."""
        return self._stepper.n_steps if self._stepper is not None else 0

    def through(self, n_samples: int, on_progress: Callable[[float], None]) -> None:
        """Hear so many samples, and end the stream."""
        clock, chain = self.clock, self.chain
        every = max(1, n_samples // N_MEMORY)
        clock.start("read")
        for batch in drain(self._source):
            clock.enter("other")
            before, n_decoded = clock.hop_ns(), chain.n_decoded
            self._publish(chain.push(batch.samples, batch.markers, batch.events))
            clock.enter("profiler")
            if chain.n_decoded > n_decoded:
                now = zip(clock.hop_ns(), before, strict=True)
                self.rows.append(tuple(after - earlier for after, earlier in now))
            if chain.n_samples >= every * len(self.memory):
                self.memory.append((chain.n_samples, resident_bytes()))
                on_progress(chain.n_samples / n_samples)
            if chain.n_samples >= n_samples:
                break
            clock.enter("read")
        clock.enter("decode")
        self._publish(chain.finish())
        clock.enter("other")

    def _publish(self, outputs: Sequence[Output]) -> None:
        """Make the messages, and their bytes: all of publishing that needs no socket."""
        self.clock.enter("publish")
        for output in outputs:
            times = output.times if isinstance(output, Text) else Times()
            spent_ns = times.filter_ns + times.model_ns + times.decode_ns
            arrival = Arrival(began_ns=time.perf_counter_ns() - spent_ns)
            message = self._session.compose(output, arrival)
            if message is not None:
                encode(message)
        self.clock.enter("other")


class _TimedStepper:
    """A step decoder whose time is the model's, though the search calls it."""

    def __init__(self, stepper: Stepper, clock: StageClock) -> None:
        self._stepper, self._clock = stepper, clock
        self.n_rows, self.n_symbols = stepper.n_rows, stepper.n_symbols
        self.max_symbols = stepper.max_symbols
        self.n_steps = 0

    def begin(self, memory: NDArray[np.float32]) -> None:
        before = self._clock.enter("model")
        self._stepper.begin(memory)
        self._clock.enter(before)

    def step(
        self, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        before = self._clock.enter("model")
        self.n_steps += 1
        found = self._stepper.step(tokens, parents, position)
        self._clock.enter(before)
        return found
