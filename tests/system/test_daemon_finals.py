"""No final is lost: at SIGTERM, at SIGKILL, and after it."""

from __future__ import annotations

import json
import signal
import sqlite3
from typing import TYPE_CHECKING, Any

from tests.bundles import make_bundle
from tests.recordings import noise, write_recording
from tests.system.daemons import (
    end,
    offer,
    running,
    unique,
)

if TYPE_CHECKING:
    from pathlib import Path

import pytest

pytestmark = pytest.mark.live


def journal(tmp_path: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{tmp_path}/state/journal.sqlite?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT body FROM finals ORDER BY id").fetchall()
    return [json.loads(body) for (body,) in rows]


def without_topic(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in m.items() if k != "topic"} for m in messages]


def test_sigterm_publishes_the_last_final_and_the_journal_has_them_all(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    recording = write_recording(tmp_path / "r.xdf", noise(20_000), [])
    name = unique("term")
    with running(tmp_path, tmp_path / "b", stream=name) as daemon:
        process = offer(recording, name)
        assert daemon.pump(30, lambda m: m["topic"] == "text.partial" and len(m["text"]) > 0)
        daemon.pump(2)
        assert daemon.stop() == 0, daemon.log()
        end(process)
        finals = daemon.of("text.final")
        assert finals
        assert without_topic(finals) == journal(tmp_path)
        assert [m["seq"] for m in finals] == list(range(len(finals)))
        last = daemon.of("text.partial", "text.final")[-1]
        assert last["topic"] == "text.final" or last["text"] == ""  # nothing said is left behind


def test_sigkill_loses_no_published_final_and_a_subscriber_gets_all_by_asking(
    tmp_path: Path,
) -> None:
    make_bundle(tmp_path / "b")
    recording = write_recording(tmp_path / "r.xdf", noise(20_000), [])
    name = unique("kill")
    with running(tmp_path, tmp_path / "b", stream=name) as daemon:
        process = offer(recording, name)
        assert daemon.pump(30, lambda m: m["topic"] == "text.final" and m["seq"] >= 5)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(10)
        daemon.pump(0.5)
        end(process)
        heard = without_topic(daemon.of("text.final"))
    stored = journal(tmp_path)
    assert stored[: len(heard)] == heard
    session = heard[0]["session"]
    with running(tmp_path, tmp_path / "b", stream=unique("again")) as daemon:
        answer = daemon.ask(do="finals", stream="bench1", session=session, **{"from": 0})
        assert answer["ok"]
        assert answer["messages"] == stored
        later = daemon.ask(do="finals", stream="bench1", session=session, **{"from": 3})
        assert later["messages"] == stored[3:]
        daemon.wait_state("waiting")
        now = daemon.ask(do="finals")
        assert (now["stream"], now["messages"]) == ("bench1", [])
        assert now["session"] == daemon.of("health")[-1]["session"] != session
        assert "wanted one of bench1" in daemon.ask(do="finals", stream="nobody")["error"]
        assert daemon.stop() == 0


def test_what_a_crash_left_unpublished_reaches_those_who_listened(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    recording = write_recording(tmp_path / "r.xdf", noise(20_000), [])
    name = unique("left")
    with running(tmp_path, tmp_path / "b", stream=name, markers=False) as daemon:
        process = offer(recording, name)
        assert daemon.pump(30, lambda m: m["topic"] == "text.final" and m["seq"] >= 2)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(10)
        end(process)
    with sqlite3.connect(f"file:{tmp_path}/state/journal.sqlite", uri=True) as connection:
        connection.execute("UPDATE finals SET published = 0 WHERE seq = 1")
    wanted = next(m for m in journal(tmp_path) if m["seq"] == 1)
    with running(tmp_path, tmp_path / "b", stream=unique("again"), markers=False) as daemon:
        assert daemon.pump(10, lambda m: m["topic"] == "text.final" and m["seq"] == 1)
        assert wanted in without_topic(daemon.of("text.final"))
