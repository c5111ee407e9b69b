"""Processes of a measurement: started, heard, counted, and ended whatever happens."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

REPO = Path(__file__).resolve().parents[2]
ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


class Process:
    """One child; its stderr goes to a file whose end is shown if it fails. A context manager."""

    def __init__(self, command: Sequence[str | Path], *, log: Path, **environment: str) -> None:
        self.command = [str(word) for word in command]
        self._log = log
        self._file: IO[bytes] = log.open("wb")
        self.started_s = time.monotonic()
        self._child = subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=self._file,
            cwd=REPO,
            env={**os.environ, **ENVIRONMENT, **environment},
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._child.pid

    def line(self, *, timeout_s: float) -> str:
        """Return the next line of its stdout.

        Raises:
            RuntimeError: none came, or it ended.
        """
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], timeout_s)
        text = self._child.stdout.readline().decode().strip() if ready else ""
        if not text:
            raise RuntimeError(f"{self._name}: no line in {timeout_s:g} s\n{self._end_of_log()}")
        return text

    def wait(self, *, timeout_s: float) -> None:
        """Wait for it to end well.

        Raises:
            RuntimeError: it did not end, or not with 0.
        """
        try:
            code = self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self._name}: still there after {timeout_s:g} s") from None
        if code:
            raise RuntimeError(f"{self._name}: exit code {code}\n{self._end_of_log()}")

    def stop(self, *, timeout_s: float = 15.0) -> None:
        """Ask it to end (SIGTERM), and see that it ended well."""
        self._child.send_signal(signal.SIGTERM)
        self.wait(timeout_s=timeout_s)

    def cpu_s(self) -> float:
        """Return the seconds of processor it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    def resident_mb(self) -> float:
        """Return its resident memory in megabytes (10^6 bytes)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError(f"{self._name}: no VmRSS")

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._file.close()

    @property
    def _name(self) -> str:
        return " ".join(self.command[:4])

    def _end_of_log(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])


def module(name: str, **options: object) -> list[str]:
    """Return the command that runs ``tests.bench.NAME`` with ``--option value`` pairs."""
    words = [sys.executable, "-m", f"tests.bench.{name}"]
    for option, value in options.items():
        words += [f"--{option.replace('_', '-')}", str(value)]
    return words


def free_endpoint() -> str:
    """Return a TCP endpoint on loopback whose port was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def write_config(
    folder: Path, *, source_id: str, bundle: Path, endpoint: str, sync: str = "full"
) -> Path:
    """Write a daemon's configuration for a measurement under ``folder`` and return its path."""
    path = folder / "eegscribe.toml"
    path.write_text(
        f"""[stream]
name = "bench"
lsl = {{ source_id = "{source_id}" }}
bundle = "{bundle}"
[publish]
endpoint = "{endpoint}"
every_decode = true
[control]
endpoint = "ipc://{folder}/control"
[journal]
path = "{folder}/journal.sqlite"
sync = "{sync}"
[log]
level = "warning"
"""
    )
    return path


def daemon(config: Path) -> list[str]:
    """Return the command that runs the daemon as a user does."""
    return [str(Path(sys.executable).with_name("eegscribe")), "run", "--config", str(config)]
