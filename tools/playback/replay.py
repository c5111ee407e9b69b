"""A recording through the same chain that the daemon runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.values import Event, Text
from runtime.engine import check_fit
from runtime.latency import LatencyMonitor
from runtime.session import Arrival, Session
from runtime.source import drain
from runtime.transcript import new_session
from runtime.wire.messages import Final, Message, Partial
from tools.playback.scoring import Truth, score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.values import Batch, Output
    from runtime.engine import Engine
    from runtime.source import Source, StreamInfo

REPLAY_BUDGET_MS = 100.0


@dataclass(slots=True)
class Replay:
    """One pass of an opened source through an engine's chain.

    Iterate :meth:`messages` to the end; then :meth:`summary` tells how it went.
    """

    engine: Engine
    source: Source
    info: StreamInfo
    stream: str = "replay"
    trials: frozenset[int] | None = None
    speed: float | None = None
    every_decode: bool = False
    marker_names: dict[str, str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    n_samples: int = 0
    n_lost: int = 0
    transcript: str = ""
    _began_s: float = 0.0
    _ended_s: float = 0.0
    _latency: LatencyMonitor = field(
        default_factory=lambda: LatencyMonitor({"total": REPLAY_BUDGET_MS})
    )
    _session: Session | None = None
    _truth: Truth | None = None

    def messages(self, on_progress: Callable[[int], None] | None = None) -> Iterator[Message]:
        """Yield every message as the daemon would publish it.

        Args:
            on_progress: called with the count of samples done.

        Raises:
            BundleError: the recording's channels or rate are not the bundle's.
        """
        check_fit(self.engine, self.info)
        chain = self.engine.chain(
            trials=self.trials,
            every_decode=self.every_decode,
            marker_names=self.marker_names,
            stopwatch_ns=time.perf_counter_ns,
        )
        self._truth = Truth({**self.engine.spec.markers, **self.marker_names})
        session = self._session = Session(
            stream=self.stream,
            session=new_session(),
            engine=self.engine,
            lsl_time=self.source.lsl_time,
            every_decode=self.every_decode,
            now_ns=time.perf_counter_ns,
        )
        self._began_s = time.perf_counter()
        for batch in drain(self.source):
            self._wait_for(batch)
            for marker in batch.markers:
                self._truth.mark(marker)
            began_ns = time.perf_counter_ns()
            outputs = chain.push(batch.samples, batch.markers, batch.events)
            self.n_samples = chain.n_samples
            yield from self._compose(session, outputs, began_ns)
            if on_progress is not None:
                on_progress(self.n_samples)
        yield from self._compose(session, chain.finish(), time.perf_counter_ns())
        self._ended_s = time.perf_counter()
        self.counters = chain.counters

    def _compose(
        self, session: Session, outputs: Sequence[Output], began_ns: int
    ) -> Iterator[Message]:
        for output in outputs:
            if isinstance(output, Event) and output.kind == "gap":
                self.n_lost += int(output.figures.get("n_samples") or 0)
            if self._truth is not None:
                self._truth.decided(output)
            if isinstance(output, Text):
                # One push may hold many decodes: each is told from its own beginning.
                times = output.times
                spent_ns = times.filter_ns + times.model_ns + times.decode_ns
                began_ns = time.perf_counter_ns() - spent_ns
            message = session.compose(output, Arrival(began_ns=began_ns))
            if message is None:
                continue
            if isinstance(message, Partial | Final):
                self._latency.add(message.latency_ms)
            if isinstance(message, Final):
                kept = len(self.transcript) - message.delete
                self.transcript = self.transcript[:kept] + message.text
            yield message

    def _wait_for(self, batch: Batch) -> None:
        """Keep the pace that was asked for; at full speed never wait."""
        if self.speed is None:
            return
        due_s = self._began_s + (batch.first + len(batch.samples)) / self.info.rate_hz / self.speed
        time.sleep(max(0.0, due_s - time.perf_counter()))

    def summary(self) -> dict[str, Any]:
        """Return the last line of ``--json``; its keys are a contract."""
        if self._session is None or self._truth is None:
            raise ValueError("replay: nothing was replayed yet")
        spec = self.engine.spec
        elapsed_s = max(self._ended_s - self._began_s, 1e-9)
        spreads = self._latency.spreads()
        return {
            "type": "summary",
            **score(
                self._truth,
                self.transcript,
                trials=self.trials,
                n_symbols=len(spec.vocabulary),
                rate_hz=spec.rate_hz,
            ),
            "realtime_factor": self.n_samples / self.info.rate_hz / elapsed_s,
            "lost_samples": self.n_lost,
            "latency_ms": {
                name: {"p50": s.p50, "p95": s.p95, "p99": s.p99, "max": s.max}
                for name, s in spreads.items()
                if s.n
            },
            **({"simulated": True} if self.info.is_simulated else {}),
        }
