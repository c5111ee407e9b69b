"""``eegscribe listen`` beside a speaking daemon: piped, plain, as JSON, on a terminal, stopped."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

SPEAKER = Path(__file__).with_name("speaker.py")
LISTEN = (sys.executable, "-m", "tools.cli", "listen")


@contextmanager
def speaking(folder: Path) -> Iterator[None]:
    with subprocess.Popen(
        [
            *(sys.executable, str(SPEAKER), str(folder / "journal.sqlite")),
            *(f"ipc://{folder}/publish", f"ipc://{folder}/control"),
        ],
        stdout=subprocess.DEVNULL,
        cwd=SPEAKER.parents[2],
    ) as speaker:
        try:
            yield
        finally:
            speaker.kill()


def listen(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LISTEN, f"ipc://{folder}/publish", "--control", f"ipc://{folder}/control", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=SPEAKER.parents[2],
    )


def test_json_ends_with_a_summary(tmp_path: Path) -> None:
    with speaking(tmp_path):
        told = listen(tmp_path, "--json", "--for", "3")
    assert told.returncode == 0, told.stderr
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    finals = [line for line in lines[:-1] if line["topic"] == "text.final"]
    assert [line["seq"] for line in finals] == list(range(len(finals)))
    assert len(finals) > 20
    assert lines[-1] == {
        "type": "summary",
        "messages": len(lines) - 1,
        "finals_missing": 0,
        "duplicates": lines[-1]["duplicates"],
        "refused": 0,
    }


def test_plain_is_finals_and_nothing_else(tmp_path: Path) -> None:
    with speaking(tmp_path):
        told = listen(tmp_path, "--plain", "--for", "3")
    assert told.stderr == ""
    lines = told.stdout.splitlines()
    assert len(lines) > 10
    assert {*"".join(lines)} <= {*"abcdefgh"}
    assert max(map(len, lines)) > 1


def test_a_pipe_gets_lines(tmp_path: Path) -> None:
    with speaking(tmp_path):
        told = listen(tmp_path, "--for", "3")
    assert told.returncode == 0, told.stderr
    assert "s: final 'a' (2.0 ms)" in told.stdout
    assert told.stdout.count("s: decoding") == 1
    assert "\x1b" not in told.stdout


def test_nobody_there_is_said_in_plain_words(tmp_path: Path) -> None:
    told = listen(tmp_path, "--for", "4")
    assert told.returncode == 0
    assert "is the daemon running" in told.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with (
        speaking(tmp_path),
        subprocess.Popen(
            [*LISTEN, f"ipc://{tmp_path}/publish", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=SPEAKER.parents[2],
        ) as listener,
    ):
        assert listener.stdout is not None
        assert listener.stdout.readline()
        listener.send_signal(number)
        told, error = listener.communicate(timeout=20)
    assert listener.returncode == 0
    assert error == ""
    assert json.loads(told.splitlines()[-1])["type"] == "summary"


def test_a_terminal_gets_the_live_view(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with (
        speaking(tmp_path),
        subprocess.Popen(
            [*LISTEN, f"ipc://{tmp_path}/publish", "--control", f"ipc://{tmp_path}/control"],
            stdout=theirs,
            stderr=theirs,
            cwd=SPEAKER.parents[2],
            env=os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
        ) as listener,
    ):
        os.close(theirs)
        seen, stop = "", time.monotonic() + 20
        while "samples/s" not in seen and time.monotonic() < stop:
            seen += os.read(ours, 65536).decode(errors="replace")
        listener.send_signal(signal.SIGINT)
        while listener.poll() is None:  # it must be able to write its last screen
            try:
                seen += os.read(ours, 65536).decode(errors="replace")
            except OSError:
                listener.wait(10)
    os.close(ours)
    assert "90% sure" in seen
    assert "not verified to read EEG" in seen
    assert listener.returncode == 0
    assert "Traceback" not in seen


def test_a_wrong_endpoint_is_wrong_usage(tmp_path: Path) -> None:
    told = subprocess.run([*LISTEN, "nowhere"], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert told.stderr == "eegscribe: got 'nowhere', wanted tcp://HOST:PORT or ipc://PATH\n"
