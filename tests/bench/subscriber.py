"""A subscriber that keeps when each message arrived, on LSL's clock.

Prints ``first`` when the first text comes. On SIGTERM it writes ``FILE.npz``: a row per text
message under ``rows`` (see :data:`COLUMNS`), ``events`` and ``health`` as JSON, and when the daemon
made its first text.

    python -m tests.bench.subscriber --endpoint tcp://127.0.0.1:5557 --out FILE.npz
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import signal
import time
from pathlib import Path

import msgspec
import numpy as np
import zmq
import zmq.backend
from numpy.typing import NDArray

STAGES = ("transport", "queue", "filter", "model", "decode", "publish", "total")
COLUMNS = ("arrived_s", "made_s", "stop", "end_s", "is_final", *STAGES)
"""On LSL's clock: when a message arrived, and when the daemon made it (its ``host_ns``)."""

receive = zmq.backend.Socket.recv
"""Without pyzmq's Python layer, which costs 50 µs when it is not in the cache."""
POLL_MS = 200


class _Stop(Exception):  # noqa: N818 - not an error
    pass


def _stop(*_: object) -> None:
    raise _Stop


def listen(
    socket: zmq.Socket[bytes],
    rows: list[tuple[float, ...]],
    others: dict[bytes, list[bytes]],
) -> None:
    """Append what comes, for ever; when the first text was made goes into ``others[b"first"]``."""
    decoder = msgspec.json.Decoder()
    while True:
        try:
            topic, body = receive(socket), receive(socket)
        except zmq.Again:
            continue
        arrived_s = time.monotonic()  # LSL's clock on Linux, without a call into liblsl
        wall_ns = time.time_ns()
        if topic in others:
            others[topic].append(body)
        else:
            message = decoder.decode(body)
            stages = message["latency_ms"]
            rows.append(
                (
                    arrived_s,
                    arrived_s - (wall_ns - message["host_ns"]) / 1e9,
                    message["samples"][1],
                    message["end_s"],
                    topic == b"text.final",
                    *(np.nan if stages[s] is None else stages[s] for s in STAGES),
                )
            )
            if len(rows) == 1:
                others[b"first"].append(b"%d" % message["host_ns"])
                print("first", flush=True)


def _array(objects: list[bytes]) -> NDArray[np.uint8]:
    """Return JSON objects as the bytes of one JSON array."""
    return np.frombuffer(b"[" + b",".join(objects) + b"]", dtype=np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.RCVTIMEO, POLL_MS)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.connect(options.endpoint)
    rows: list[tuple[float, ...]] = []
    others: dict[bytes, list[bytes]] = {b"event": [], b"health": [], b"first": []}
    gc.disable()
    signal.signal(signal.SIGTERM, _stop)
    with contextlib.suppress(_Stop):
        listen(socket, rows, others)
    np.savez(
        options.out,
        rows=np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS)),
        events=_array(others[b"event"]),
        health=_array(others[b"health"]),
        first_host_ns=int((others[b"first"] or [b"0"])[0]),
    )


if __name__ == "__main__":
    main()
