"""Many streams in one process, each at its own pace from a recording: chain, messages, no wire.

Every stream is given a chunk when its last sample is due, 20 ms after the one before; streams start
at random phases. Latency is from that deadline to the encoded message. Writes ``FILE.npz``:
``late_ms`` of every decode, ``n_samples`` and ``n_decoded`` by stream, ``cpu_s``.

    python -m tests.bench.stream_worker --recording R.xdf --bundle B --streams 64 --seconds 30 \
        --seed 0 --out FILE.npz
"""

from __future__ import annotations

import argparse
import gc
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runtime.engine import Engine, open_engine
from runtime.recordings.source import RecordingSource
from runtime.session import Arrival, Session
from runtime.source import drain
from runtime.wire.messages import encode
from tests.bench.reference_bundle import RATE_HZ

if TYPE_CHECKING:
    from pipeline.chain import Chain

CHUNK = 10
LEAD_S = 0.5


@dataclass
class Stream:
    """A stream of its own: place in the recording, phase, chain, messages."""

    chain: Chain
    session: Session
    start: int
    phase_s: float


def make_streams(engine: Engine, n_streams: int, *, n_samples: int, seed: int) -> list[Stream]:
    """Return streams in the order of their phases."""
    rng = np.random.default_rng(seed)
    streams = [
        Stream(
            chain=engine.chain(every_decode=True, stopwatch_ns=time.perf_counter_ns),
            session=Session(
                stream=f"s{n}",
                session="bench",
                engine=engine,
                every_decode=True,
                now_ns=time.perf_counter_ns,
            ),
            start=int(rng.integers(n_samples)) // CHUNK * CHUNK,
            phase_s=float(rng.uniform(0, CHUNK / RATE_HZ)),
        )
        for n in range(n_streams)
    ]
    for stream in streams:  # decodes spread over the hop as streams do that know nothing of others
        stream.chain.push(np.zeros((CHUNK * int(rng.integers(10)), 128), dtype=np.float32))
    return sorted(streams, key=lambda stream: stream.phase_s)


def run(streams: list[Stream], samples: NDArray[np.float32], *, seconds: float) -> list[float]:
    """Push everything at its time; return milliseconds from deadline to message, per decode."""
    late_ms = []
    began_s = time.perf_counter() + LEAD_S
    for turn in range(round(seconds * RATE_HZ / CHUNK)):
        for stream in streams:
            due_s = began_s + stream.phase_s + turn * CHUNK / RATE_HZ
            if (wait_s := due_s - time.perf_counter()) > 0:
                time.sleep(wait_s)
            at = (stream.start + turn * CHUNK) % len(samples)
            n_decoded = stream.chain.n_decoded
            outputs = stream.chain.push(samples[at : at + CHUNK])
            for output in outputs:
                message = stream.session.compose(output, Arrival(began_ns=0))
                if message is not None:
                    encode(message)
            if stream.chain.n_decoded > n_decoded:
                late_ms.append((time.perf_counter() - due_s) * 1e3)
    return late_ms


def main() -> None:
    """Run this worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recording", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    engine = open_engine(options.bundle, providers="cpu")
    source = RecordingSource(options.recording, channels=engine.spec.channels)
    source.open(None)
    samples = np.concatenate([batch.samples for batch in drain(source)])
    samples = samples[: len(samples) // CHUNK * CHUNK]
    streams = make_streams(engine, options.streams, n_samples=len(samples), seed=options.seed)
    before = [(s.chain.n_samples, s.chain.n_decoded) for s in streams]
    gc.collect()
    gc.freeze()
    began_cpu_s = time.process_time()
    late_ms = run(streams, samples, seconds=options.seconds)
    np.savez(
        options.out,
        late_ms=np.array(late_ms),
        n_samples=[s.chain.n_samples - n for s, (n, _) in zip(streams, before, strict=True)],
        n_decoded=[s.chain.n_decoded - n for s, (_, n) in zip(streams, before, strict=True)],
        cpu_s=time.process_time() - began_cpu_s,
    )


if __name__ == "__main__":
    main()
