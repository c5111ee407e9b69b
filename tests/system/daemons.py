"""A real daemon as a process, a real subscriber, a real notify socket: for the system tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

MUTE = """
import sys, time, pylsl
info = pylsl.StreamInfo(sys.argv[1], "EEG", 4, 250.0, "float32", sys.argv[1])
channels = info.desc().append_child("channels")
for label in ("Fz", "Cz", "Pz", "Oz"):
    channels.append_child("channel").append_child_value("label", label)
outlet = pylsl.StreamOutlet(info)
sys.stdin.readline()
while True:
    outlet.push_sample([0.0] * 4); time.sleep(0.004)
"""
"""A headset that is there and sends nothing until it is told to: ``python -c MUTE NAME``."""

EEGSCRIBE = [sys.executable, "-m", "tools.cli"]


@dataclass
class RunningDaemon:
    """A daemon's process and everything it has published so far."""

    process: subprocess.Popen[bytes]
    folder: Path
    stream: str
    socket: zmq.Socket[bytes]
    notify: socket.socket
    messages: list[dict[str, Any]] = field(default_factory=list)

    def pump(
        self, seconds: float, until: Callable[[dict[str, Any]], bool] = lambda _: False
    ) -> bool:
        """Collect messages for a time, or until one satisfies ``until``."""
        end_s = time.monotonic() + seconds
        while (left_ms := round(1000 * (end_s - time.monotonic()))) > 0:
            if self.socket.poll(min(left_ms, 100)):
                topic, body = self.socket.recv_multipart()
                message = {"topic": topic.decode(), **json.loads(body)}
                self.messages.append(message)
                if until(message):
                    return True
            elif self.process.poll() is not None:
                return False
        return False

    def wait_state(self, *states: str, seconds: float = 20.0) -> dict[str, Any]:
        """Collect until health shows one of ``states``; return that health."""
        found = self.pump(seconds, lambda m: m["topic"] == "health" and m["state"] in states)
        assert found, (
            states,
            [m["state"] for m in self.messages if m["topic"] == "health"],
            self.log(),
        )
        return self.messages[-1]

    def wait_event(self, kind: str, seconds: float = 20.0) -> dict[str, Any]:
        """Collect until an event of ``kind``; return it."""
        found = self.pump(seconds, lambda m: m["topic"] == "event" and m["kind"] == kind)
        assert found, (
            kind,
            [m["kind"] for m in self.messages if m["topic"] == "event"],
            self.log(),
        )
        return self.messages[-1]

    def of(self, *topics: str) -> list[dict[str, Any]]:
        """Return the messages collected under ``topics``."""
        return [m for m in self.messages if m["topic"] in topics]

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20.0) -> int:
        """Send a signal, collect what is still published, return the exit code."""
        self.process.send_signal(number)
        end_s = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end_s:
            self.pump(0.1)
        self.pump(0.3)
        return self.process.wait(1)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Ask the control socket."""
        with zmq.Context.instance().socket(zmq.DEALER) as dealer:
            dealer.setsockopt(zmq.LINGER, 0)
            dealer.connect(f"ipc://{self.folder}/control")
            dealer.send(json.dumps({"v": 1, **request}).encode())
            assert dealer.poll(5000), "no answer from the control socket"
            answer: dict[str, Any] = json.loads(dealer.recv())
            return answer

    def log(self) -> str:
        """Return what the daemon wrote on stderr."""
        return (self.folder / "daemon.log").read_text()[-3000:]

    def notified(self, wanted: str, seconds: float = 20.0) -> bool:
        """Say whether systemd would have been told ``wanted``."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.notify.settimeout(max(0.01, end_s - time.monotonic()))
            try:
                if wanted in self.notify.recv(4096).decode().splitlines():
                    return True
            except TimeoutError:
                return False
        return False


def unique(prefix: str) -> str:
    """Return a stream name that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def write_config(
    folder: Path,
    bundle: Path,
    *,
    stream: str,
    more: str = "",
    publish: str = "",
    markers: bool = True,
) -> Path:
    """Write a configuration that keeps everything inside ``folder``."""
    path = folder / "eegscribe.toml"
    marker_line = f'markers = {{ name = "{stream}-markers" }}\n' if markers else ""
    path.write_text(
        f'[stream]\nname = "bench1"\nlsl = {{ name = "{stream}" }}\n{marker_line}'
        f'bundle = "{bundle}"\n[publish]\nendpoint = "ipc://{folder}/messages"\n{publish}'
        f'[control]\nendpoint = "ipc://{folder}/control"\n'
        f'[journal]\npath = "{folder}/state/journal.sqlite"\n{more}'
    )
    return path


@contextmanager
def running(
    folder: Path,
    bundle: Path,
    *,
    stream: str,
    more: str = "",
    publish: str = "",
    markers: bool = True,
    command: Sequence[str] = EEGSCRIBE,
) -> Iterator[RunningDaemon]:
    """Run a daemon until the block ends; it is ready when the block begins.

    ``more`` and ``publish`` are lines of its configuration, at the end and of ``[publish]``.
    """
    config = write_config(
        folder, bundle, stream=stream, more=more, publish=publish, markers=markers
    )
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify_path = folder / f"notify-{uuid.uuid4().hex[:6]}"
    notify.bind(str(notify_path))
    subscriber: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    subscriber.setsockopt(zmq.LINGER, 0)
    subscriber.setsockopt(zmq.RCVHWM, 0)
    subscriber.setsockopt(zmq.RECONNECT_IVL, 10)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"")
    subscriber.connect(f"ipc://{folder}/messages")
    with (folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "run", "--config", str(config)],
            stdout=log,
            stderr=log,
            env={**os.environ, "NOTIFY_SOCKET": str(notify_path), "WATCHDOG_USEC": "2000000"},
        )
    daemon = RunningDaemon(process, folder, stream, subscriber, notify)
    try:
        assert daemon.notified("READY=1"), daemon.log()
        yield daemon
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        subscriber.close()
        notify.close()


def eegscribe(*words: str | Path, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end and return what it said."""
    return subprocess.run(
        [*EEGSCRIBE, *map(str, words)], capture_output=True, text=True, timeout=seconds, check=False
    )


def start(*words: str | Path) -> subprocess.Popen[str]:
    """Start a verb beside the test."""
    return subprocess.Popen(
        [*EEGSCRIBE, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def offer(recording: Path, name: str, speed: float = 1.0) -> subprocess.Popen[str]:
    """Begin to send a recording over LSL."""
    return start(
        "replay", recording, "--through", "lsl", "--name", name, "--speed", str(speed), "--json"
    )


def sent(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a sender that ends by itself says it sent."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a process."""
    process.kill()
    process.communicate()
