"""The demonstration: a simulated headset on real LSL, the real daemon, a real subscriber.

Three processes, as in life. The headset is ``eegscribe simulate``, the daemon ``eegscribe run``
with a configuration written for the occasion, and this process subscribes.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec
import numpy as np
import zmq

from pipeline.errors import EegscribeError, StreamLost
from runtime.latency import STAGES
from runtime.wire.messages import decode_object

if TYPE_CHECKING:
    from collections.abc import Sequence

START_WITHIN_S = 30.0
SETTLE_S = 15.0
DEMO_BUNDLE = Path(__file__).parent / "demo.eegb"


class DemoError(EegscribeError):
    """One of the demonstration's processes ended with an error (exit 1)."""


@dataclass(slots=True)
class Demo:
    """One demonstration; iterate :meth:`messages`, then ask for :meth:`summary`."""

    text: str
    bundle: Path = DEMO_BUNDLE
    seed: int | None = None
    simulate: Sequence[str] = ()
    transcript: str = ""
    n_lost: int = 0
    _latency: dict[str, list[float]] = field(default_factory=lambda: {s: [] for s in STAGES})
    _elapsed_s: float = 0.0
    _n_samples: int = 0
    _rate_hz: float = 1.0

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield every message of the daemon, with its ``topic``, until the person has typed.

        Raises:
            EegscribeError: the daemon or the headset failed; their own words are in the message.
        """
        with ExitStack() as stack:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="eegscribe-demo-"))
            )
            name = f"demo-{secrets.token_hex(4)}"
            config = _write_config(folder, name, self.bundle)
            subscriber = stack.enter_context(_subscriber(f"ipc://{folder}/messages"))
            daemon = _start(stack, folder / "daemon.log", ["run", "--config", str(config)])
            yield from self._until_health(subscriber, daemon, folder / "daemon.log")
            words = ["simulate", "--text", self.text, "--name", name, *self.simulate]
            if self.seed is not None:
                words += ["--seed", str(self.seed)]
            headset = _start(stack, folder / "headset.log", words)
            began_s = time.monotonic()
            while headset.poll() is None:
                yield from self._take(subscriber, 100)
                _check_alive(daemon, folder / "daemon.log", "the daemon")
            if headset.returncode != 0:
                raise DemoError(_last_words(folder / "headset.log", "the simulated headset"))
            self._elapsed_s = time.monotonic() - began_s
            daemon.send_signal(signal.SIGTERM)
            while daemon.poll() is None:
                yield from self._take(subscriber, 100)
            yield from self._take(subscriber, 300)
            if daemon.returncode != 0:
                raise DemoError(_last_words(folder / "daemon.log", "the daemon"))

    def _until_health(
        self, subscriber: zmq.Socket[bytes], daemon: subprocess.Popen[bytes], log: Path
    ) -> Iterator[dict[str, Any]]:
        """Wait for the daemon's first sign of life: from then on no message can be missed."""
        until_s = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until_s:
            for message in self._take(subscriber, 100):
                yield message
                if message["topic"] == "health":
                    return
            _check_alive(daemon, log, "the daemon")
        raise StreamLost(
            f"the daemon said nothing for {START_WITHIN_S:g} s, wanted its first health"
        )

    def _take(self, subscriber: zmq.Socket[bytes], wait_ms: int) -> Iterator[dict[str, Any]]:
        """Yield what has arrived, waiting up to ``wait_ms`` for the first."""
        while subscriber.poll(wait_ms):
            topic, body = subscriber.recv_multipart()
            message = {"topic": topic.decode(), **decode_object(body)}
            self._account(message)
            yield message

    def _account(self, message: dict[str, Any]) -> None:
        if message["topic"] == "text.final":
            kept = len(self.transcript) - message["delete"]
            self.transcript = self.transcript[:kept] + message["text"]
        if message["topic"].startswith("text."):
            for stage, values in self._latency.items():
                if message["latency_ms"][stage] is not None:
                    values.append(message["latency_ms"][stage])
        if message["topic"] == "health":
            self._n_samples = message["counters"]["samples_received"]
            self.n_lost = message["counters"]["samples_lost"]
            self._rate_hz = message["rates"]["nominal_hz"] or self._rate_hz

    def summary(self) -> dict[str, Any]:
        """Return the last line of ``--json``: the same keys as a replay's."""
        import jiwer

        reference = self.text.lower()
        return {
            "type": "summary",
            "transcript": self.transcript,
            "reference": reference,
            "cer": float(jiwer.cer(reference, self.transcript)),
            "wer": float(jiwer.wer(reference, self.transcript)) if reference.split() else None,
            "symbols": None,
            "itr_bits_per_min": None,
            "realtime_factor": self._n_samples / self._rate_hz / max(self._elapsed_s, 1e-9),
            "lost_samples": self.n_lost,
            "latency_ms": {
                stage: _spread(values) for stage, values in self._latency.items() if values
            },
        }


def _spread(values: list[float]) -> dict[str, float]:
    p50, p95, p99 = (float(v) for v in np.percentile(values, (50, 95, 99)))
    return {"p50": p50, "p95": p95, "p99": p99, "max": max(values)}


def _write_config(folder: Path, name: str, bundle: Path) -> Path:
    path = folder / "demo.toml"
    table: dict[str, dict[str, Any]] = {
        "stream": {"name": "demo", "bundle": str(bundle.resolve()), "lsl": {"name": name}},
        "publish": {"endpoint": f"ipc://{folder}/messages"},
        "control": {"endpoint": f"ipc://{folder}/control"},
        "journal": {"path": str(folder / "journal.sqlite")},
    }
    path.write_bytes(_toml(table))
    return path


def _toml(table: dict[str, dict[str, Any]]) -> bytes:
    """Return two levels of strings as TOML; JSON strings are TOML strings."""
    lines = []
    for title, keys in table.items():
        lines.append(f"[{title}]")
        for key, value in keys.items():
            if isinstance(value, dict):
                inside = ", ".join(
                    f"{k} = {msgspec.json.encode(v).decode()}" for k, v in value.items()
                )
                lines.append(f"{key} = {{ {inside} }}")
            else:
                lines.append(f"{key} = {msgspec.json.encode(value).decode()}")
    return ("\n".join(lines) + "\n").encode()


def _subscriber(endpoint: str) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.connect(endpoint)
    return socket


def _start(stack: ExitStack, log: Path, words: list[str]) -> subprocess.Popen[bytes]:
    """Start ``eegscribe`` with ``words``; it is ended with the stack."""
    out: IO[bytes] = stack.enter_context(log.open("wb"))
    process = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-m", "tools.cli", *words],
        stdout=out,
        stderr=out,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    stack.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(SETTLE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _check_alive(process: subprocess.Popen[bytes], log: Path, who: str) -> None:
    if process.poll() is not None:
        raise DemoError(_last_words(log, who))


def _last_words(log: Path, who: str) -> str:
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    said = lines[-1].removeprefix("eegscribe: ") if lines else "without a word"
    return f"{who} ended early: {said}"
