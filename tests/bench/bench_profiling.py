"""What the daemon's profile costs: when nobody asks, while it looks, and while it traces.

First a stream's own decode thread, fed as fast as it decodes: 128 channels, a decode every 20 ms of
samples, the reference bundle, journal and publisher included. Five forms of it take turns in
blocks: the code that looks taken out, taken out again (what two equal things differ by here), as it
is shipped and off, on and not tracing, on and tracing. A decode lasts until the next one is told.

Then a daemon on a headset of real LSL, that says itself what its profile cost.
"""

from __future__ import annotations

import asyncio
import gc
import queue
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import zmq
from numpy.typing import NDArray

from pipeline.values import Batch
from runtime.config import Budget, Log, Profile, Publish, Stream
from runtime.engine import Engine, open_engine
from runtime.journal import Journal
from runtime.live import IDLE_S, Decoded, LiveStream
from runtime.log import set_up
from runtime.profiling.report import new_tracer
from runtime.profiling.run import ProfileRun
from runtime.source import StreamInfo
from runtime.stream_service import StreamService
from runtime.wire.control_client import ControlClient
from runtime.wire.curve import Gate
from runtime.wire.messages import Latency
from runtime.wire.publisher import Publisher
from tests.bench.command import bench_main
from tests.bench.headset import START_S, pushing
from tests.bench.processes import Process, free_endpoint, write_config
from tests.bench.reference_bundle import CHANNELS, RATE_HZ, write_reference
from tests.bench.tables import spread, table
from tools.compression.timing import Ratio, ratio

HOP_MS = 20
CHUNK = 10
N_WARM_UP = 10
"""Decodes at the start of a block that are not counted."""

OUT, AGAIN, OFF, ON, TRACING = (
    "taken out",
    "taken out again",
    "shipped, off",
    "on, not tracing",
    "on, tracing",
)
FORMS = (OUT, AGAIN, OFF, ON, TRACING)


class Fed:
    """A source that gives what it has, and ends what reads it."""

    def __init__(self, n_batches: int) -> None:
        rng = np.random.default_rng(0)
        self._samples = (20 * rng.standard_normal((CHUNK, len(CHANNELS)))).astype(np.float32)
        self._left = n_batches
        self.ended: Callable[[], None] = lambda: None

    def open(self, timeout_s: float | None) -> StreamInfo:
        return StreamInfo(name="fed", source_id="fed", rate_hz=RATE_HZ, channels=CHANNELS)

    def pull(self, timeout_s: float) -> Batch | None:
        if not self._left:
            self.ended()
            return None
        self._left -= 1
        return Batch(0, self._samples)

    def lsl_time(self, sample_index: int) -> float:
        return sample_index / RATE_HZ

    def close(self) -> None:
        """Nothing is open."""


def decode_forever_without(live: LiveStream) -> None:
    """What ``LiveStream.decode_forever`` is but for the look between steps."""
    while True:
        live.decode_beat_s = time.monotonic()
        try:
            ticket = live._tickets.get(timeout=IDLE_S)
        except queue.Empty:
            continue
        if ticket is None:
            break
        with live._turns:
            live._decode(ticket)


def measure_without(service: StreamService, latency: Latency) -> None:
    """What ``StreamService._measure`` is but for the profile."""
    if service._latency.add(latency):
        service.tell("late", service.live.chain.n_samples, total_ms=latency.total)


class Bench:
    """What all blocks share."""

    def __init__(self, folder: Path, engine: Engine, stack: ExitStack) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        stack.callback(context.term)
        gate = Gate(context)
        stack.callback(gate.close)
        settings = Publish(endpoint=f"ipc://{folder}/messages")
        self.publisher = Publisher(settings, context=context, gate=gate)
        stack.callback(self.publisher.close)
        self.journal = Journal(folder / "journal.sqlite", sync="normal", keep_days=1.0)
        self.journal.start()
        stack.callback(self.journal.close)
        self._n_sessions = 0
        self._engine = engine
        self._folder = folder

    def service(self, n_decodes: int) -> StreamService:
        """Return a stream whose samples are all read and wait to be decoded."""
        source = Fed(n_decodes)
        self._n_sessions += 1
        service = StreamService(
            Stream(name="bench", bundle="b"),
            engine=self._engine,
            source=source,
            session=f"bench{self._n_sessions}",
            journal=self.journal,
            publisher=self.publisher,
            budget=Budget(total_ms=60_000),  # all wait in the queue before the first is decoded
            profile=Profile(directory=self._folder),
            every_decode=True,
            check_fit=lambda _engine, _info: None,
            on_input=lambda _event, _n: None,
            on_text=lambda _final: None,
        )
        source.ended = service.live.stop
        service.live.read_forever(None)
        return service

    def block_us(self, form: str, n_decodes: int) -> NDArray[np.float64]:
        """Return microseconds of each decode of one block."""
        service = self.service(n_decodes + N_WARM_UP + 1)
        decode = service.live.decode_forever
        if form in (OUT, AGAIN):
            service._measure = MethodType(measure_without, service)  # type: ignore[method-assign]
            decode = MethodType(decode_forever_without, service.live)
        elif form in (ON, TRACING):
            look(service, is_traced=form == TRACING)
        handle, done_ns = service.live._post, []

        def told(decoded: Decoded) -> None:
            handle(decoded)
            done_ns.append(time.perf_counter_ns())

        service.live._post = told
        gc.collect()
        gc.disable()  # a collection would be some decode's tail, and no form's fault
        try:
            decode()
        finally:
            gc.enable()
            service.profiler.leave()
        return np.diff(done_ns)[N_WARM_UP : N_WARM_UP + n_decodes] / 1e3


def look(service: StreamService, *, is_traced: bool) -> None:
    """Switch a profile on whose first turn lasts for ever."""
    now_s = 0.0
    service.profiler.run = run = ProfileRun(
        3600.0,
        budgets_ms=Budget().by_stage(),
        tracer=new_tracer(),
        ended=lambda: None,
        now_s=lambda: now_s,
    )
    service.live.between_steps = run.tick
    now_s = 1.0 if is_traced else 0.0


async def take_turns(folder: Path, *, n_blocks: int, n_decodes: int) -> dict[str, Any]:
    """Return microseconds of a decode by form, (n_blocks, n_decodes)."""
    engine = open_engine(write_reference(folder, hop_ms=HOP_MS), providers="cpu")
    taken = {form: np.empty((n_blocks, n_decodes)) for form in FORMS}
    with ExitStack() as stack:
        bench = Bench(folder, engine, stack)
        bench.block_us(OFF, n_decodes)
        for block in range(n_blocks):
            for form in FORMS if block % 2 == 0 else reversed(FORMS):
                taken[form][block] = bench.block_us(form, n_decodes)
                await asyncio.sleep(0)  # what the streams left for the loop
    return taken


def compare(taken: dict[str, NDArray[np.float64]]) -> dict[str, dict[str, Any]]:
    """Return for each form its spread, and how it stands to the code without the profile."""
    found: dict[str, dict[str, Any]] = {}
    for form, us in taken.items():
        found[form] = {"us": spread(us)}
        if form != OUT:
            against = ratio(us, taken[OUT])
            low = 1.0 / ratio(taken[OUT], us).p50_high
            found[form] |= {"ratio": _figures(against), "p50_low": low}
    return found


def _figures(against: Ratio) -> dict[str, float]:
    return {name: getattr(against, name) for name in Ratio.__slots__}


def show(found: dict[str, dict[str, Any]]) -> str:
    """Return the table of forms."""
    rows = []
    for form, one in found.items():
        us, against = one["us"], one.get("ratio")
        ratios = ("-", "-")
        if against is not None:
            ratios = (
                f"{against['p50']:.3f} [{one['p50_low']:.3f}, {against['p50_high']:.3f}]",
                f"{against['p99']:.3f} [{against['p99_low']:.3f}, {against['p99_high']:.3f}]",
            )
        rows.append((form, us["p50"], us["p99"], *ratios, us["n"]))
    header = ("the profile (µs a decode)", "p50", "p99", "p50 ratio", "p99 ratio", "n")
    return f"{table(rows, header=header)}\n\n{_verdict(found[OFF])}"


def _verdict(off: dict[str, Any]) -> str:
    """Return in a sentence whether a profile that is off costs anything."""
    is_seen = max(off["p50_low"], off["ratio"]["p99_low"]) > 1.0
    return (
        "Off, the profile is measurably slower than code without it."
        if is_seen
        else "Off, the profile costs nothing that can be measured: both lower bounds are below 1."
    )


def real_daemon(folder: Path, *, seconds: float) -> dict[str, Any]:
    """Return what a daemon on a headset of real LSL says of its own profile."""
    with pushing(folder, chunk=CHUNK, seconds=seconds + 2 * START_S) as pushed:
        bundle = write_reference(folder, hop_ms=HOP_MS)
        config = write_config(
            folder, source_id=pushed.source_id, bundle=bundle, endpoint=free_endpoint()
        )
        with config.open("a") as file:
            file.write(f'[profile]\ndirectory = "{folder}/profiles"\n')
        command = [sys.executable, "-m", "tools.cli", "run", "--config", str(config)]
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        with Process(command, log=folder / "daemon.log"), context:
            client = ControlClient(f"ipc://{folder}/control", context=context, timeout_s=START_S)
            client.ask("profile", action="start", seconds=seconds + 60)
            time.sleep(seconds)
            report = client.ask("profile", action="stop")["profiles"][0]
            client.close()
    text = next(Path(path).read_text() for path in report["files"] if path.endswith(".txt"))
    print(text.partition("How many of them")[0], flush=True)
    return {key: report[key] for key in ("decodes", "stages", "traced", "cost")}


def run(*, quick: bool) -> dict[str, Any]:
    """Measure both; print them."""
    set_up(Log(level="error"))
    with tempfile.TemporaryDirectory(prefix="eegscribe-bench-") as name:
        folder = Path(name)
        n_blocks, n_decodes = (10, 100) if quick else (40, 300)
        taken = asyncio.run(take_turns(folder, n_blocks=n_blocks, n_decodes=n_decodes))
        found = compare(taken)
        print(show(found), end="\n\n", flush=True)
        told = real_daemon(folder, seconds=10.0 if quick else 60.0)
    return {"forms": found, "daemon": told}


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
