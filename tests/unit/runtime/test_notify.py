from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from runtime.notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What $NOTIFY_SOCKET says, and the socket behind it."""
    name = f"@eegscribe-{os.getpid()}" if request.param == "abstract" else f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind("\0" + name[1:] if name[0] == "@" else name)
        bound.settimeout(2)
        yield name, bound


def test_each_state_is_one_datagram(systemd: tuple[str, socket.socket]) -> None:
    name, bound = systemd
    notifier = Notifier({"NOTIFY_SOCKET": name})
    sent = [notifier.ready(), notifier.status("a"), notifier.watchdog(), notifier.stopping()]
    assert sent == [True] * 4
    heard = [bound.recv(1000) for _ in sent]
    assert heard == [b"READY=1", b"STATUS=a", b"WATCHDOG=1", b"STOPPING=1"]


def test_a_status_cannot_smuggle_in_another_field(systemd: tuple[str, socket.socket]) -> None:
    name, bound = systemd
    Notifier({"NOTIFY_SOCKET": name}).status("a\nMAINPID=1\r" + "x" * 10_000)
    heard = bound.recv(20_000)
    assert heard.startswith(b"STATUS=a MAINPID=1 xxx")
    assert b"\n" not in heard
    assert len(heard) < 600


def test_without_a_socket_nothing_is_sent() -> None:
    for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}):
        assert not Notifier(environment).ready()


def test_a_socket_that_went_away_stops_nobody(tmp_path: Path) -> None:
    assert not Notifier({"NOTIFY_SOCKET": f"{tmp_path}/none"}).watchdog()


def test_a_full_socket_stops_nobody(systemd: tuple[str, socket.socket]) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": systemd[0]})
    assert not all([notifier.status("x" * 400) for _ in range(2000)])  # noqa: C419 - send them all


@pytest.mark.parametrize(
    ("environment", "period_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_period_is_ours_alone(
    environment: dict[str, str], period_s: float | None
) -> None:
    assert Notifier(environment).watchdog_s == period_s


def test_the_environment_is_read(
    systemd: tuple[str, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd[0])
    assert Notifier.from_environment().ready()
