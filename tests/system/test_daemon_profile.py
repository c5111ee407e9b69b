"""Where the time of a running daemon goes: asked for, told, written, and right."""

from __future__ import annotations

import json
import pstats
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from runtime.latency import STAGES
from tests.bundles import CHANNELS, RATE_HZ, make_bundle
from tests.system.daemons import RunningDaemon, running, unique
from tests.system.lsl_outlets import Headset
from tests.system.slow_daemon import HOP, WHERE

pytestmark = pytest.mark.live

DELAY_MS = 30.0
CALM_MS = 15.0
"""What no other stage reaches, by its median, on a machine that is busy."""

NOT_TOLD = {"text", "transcript", "symbols", "nbest", "model", "confidence"}
EVERY_DECODE = "every_decode = true\n"


@contextmanager
def headset(name: str) -> Iterator[Callable[[], None]]:
    """Offer a hop of samples whenever one is due, from a thread; gives what switches it off."""
    outlet = Headset(name, labels=CHANNELS, rate_hz=RATE_HZ)
    is_over = threading.Event()

    def push() -> None:
        outlet.wait()
        next_s = time.monotonic()
        outlet.began_s = pylsl.local_clock()
        while not is_over.is_set():
            next_s += HOP / RATE_HZ
            is_over.wait(max(0.0, next_s - time.monotonic()))
            outlet.push(HOP)
        outlet.close()

    thread = threading.Thread(target=push)
    thread.start()

    def switch_off() -> None:
        is_over.set()
        thread.join(30)

    try:
        yield switch_off
    finally:
        switch_off()


def profile_event(daemon: RunningDaemon, *, over: bool, seconds: float = 20.0) -> dict[str, Any]:
    found = daemon.pump(
        seconds, lambda m: m["topic"] == "event" and (m["kind"], m.get("over")) == ("profile", over)
    )
    assert found, daemon.log()
    return daemon.messages[-1]


def medians(messages: list[dict[str, Any]]) -> dict[str, float]:
    """Return the median of each stage over text messages."""
    return {s: float(np.median([m["latency_ms"][s] for m in messages])) for s in STAGES}


def written(report: dict[str, Any]) -> dict[str, Path]:
    return {Path(path).suffix: Path(path) for path in report["files"]}


def check_only(stage: str, p50_ms: dict[str, float], *, where: str) -> None:
    """See that one stage took the delay, with the total, and no other."""
    assert p50_ms[stage] >= DELAY_MS, (where, p50_ms)
    assert p50_ms["total"] >= DELAY_MS, (where, p50_ms)
    others = {s: ms for s, ms in p50_ms.items() if s not in (stage, "total")}
    assert max(others.values()) < CALM_MS, (where, p50_ms)


@pytest.mark.parametrize(
    ("slow", "stage"),
    [
        ("filter", "filter"),
        ("model", "model"),
        ("decode", "decode"),
        ("compose", "publish"),
        ("send", "publish"),
    ],
)
def test_a_delay_shows_in_its_stage_and_in_no_other(tmp_path: Path, slow: str, stage: str) -> None:
    make_bundle(tmp_path / "b")
    name = unique("slow")
    command = [sys.executable, "-m", "tests.system.slow_daemon", slow, f"{DELAY_MS:g}"]
    with (
        running(
            *(tmp_path, tmp_path / "b"),
            stream=name,
            markers=False,
            publish=EVERY_DECODE,
            more=f'[profile]\ndirectory = "{tmp_path}/p"\n',
            command=command,
        ) as daemon,
        headset(name),
    ):
        daemon.wait_state("decoding")
        assert daemon.ask(do="profile", action="start", seconds=60)["ok"]
        daemon.messages.clear()
        daemon.pump(5.0)
        report = daemon.ask(do="profile", action="stop")["profiles"][0]
        told = profile_event(daemon, over=True)
        texts = daemon.of("text.partial")
        health = daemon.of("health")[-1]
    assert len(texts) > 30
    if slow != "send":  # a message cannot say how long it will take to send itself
        check_only(stage, medians(texts), where="messages")
    p50_ms = {s: health["latency_ms"][s]["p50"] for s in STAGES}
    check_only(stage, p50_ms, where="health")
    for which in ("stages", "traced"):
        check_only(stage, {s: found["p50"] for s, found in report[which].items()}, where=which)
    assert told[f"{stage}_p50_ms"] == report["stages"][stage]["p50"] >= DELAY_MS
    edges, counts = report["edges_ms"], report["counts"][stage]
    slow_ones = sum(counts[edges.index(20.0) + 1 :])
    assert slow_ones == report["stages"][stage]["n"] > 10
    over = report["stages"]["publish"]["over_budget"]
    assert over == 1.0 if stage == "publish" else over < 0.5
    stats = pstats.Stats(str(written(report)[".pstats"])).stats  # type: ignore[attr-defined]
    names = {function for _, _, function in stats}
    assert WHERE[slow][1] in names
    _, n_calls, own_s, _, callers = next(
        found for (_, _, name), found in stats.items() if name == "<built-in method time.sleep>"
    )
    assert own_s / n_calls >= DELAY_MS / 1e3
    assert {function for _, _, function in callers} == {"slowed"}


def test_a_profile_is_asked_for_told_written_and_private(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    name = unique("profile")
    folder = tmp_path / "state" / "p"
    more = f'[profile]\ndirectory = "{folder}"\nseconds = 1.5\n'
    with (
        running(
            *(tmp_path, tmp_path / "b"),
            stream=name,
            markers=False,
            more=more,
            publish=EVERY_DECODE,
        ) as daemon,
        headset(name) as switch_off,
    ):
        assert daemon.ask(do="profile", action="stop")["error"] == (
            "profile: none runs for 'bench1', wanted a start first"
        )
        daemon.wait_state("decoding")
        answer = daemon.ask(do="profile", action="start")
        assert answer["profiles"] == [
            {"stream": "bench1", "seconds": 1.5, "directory": str(folder)}
        ]
        again = daemon.ask(do="profile", action="start")["error"]
        assert again.startswith("profile: the stream 'bench1' is being profiled already, for ano")
        assert profile_event(daemon, over=False)["seconds"] == 1.5
        told = profile_event(daemon, over=True)  # by itself
        assert 1.5 <= told["lasted_s"] < 5.0
        assert told["decodes"] > 5
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = sorted(folder.iterdir())
        assert [path.suffix for path in files] == [".json", ".pstats", ".txt"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        report = json.loads(files[0].read_text())
        assert report["decodes"] == told["decodes"]
        assert not NOT_TOLD & {*report, *told}
        assert "decode thread" in files[2].read_text()

        daemon.process.send_signal(signal.SIGUSR1)
        profile_event(daemon, over=False)
        switch_off()  # the stream goes; the profile ends when its time has come
        daemon.wait_event("stream_lost", 30)
        profile_event(daemon, over=True)
        assert len(list(folder.iterdir())) == 6
        daemon.process.send_signal(signal.SIGUSR1)
        profile_event(daemon, over=False)
        assert daemon.stop() == 0, daemon.log()  # and what runs at the end is written too
    assert len(list(folder.iterdir())) == 9
    texts = {m["transcript"] for m in daemon.of("text.final")}
    assert any(texts)


def test_a_folder_that_takes_nothing_is_told_and_harms_nobody(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    name = unique("nowhere")
    (tmp_path / "file").write_text("in the way")
    more = f'[profile]\ndirectory = "{tmp_path}/file/p"\nat_start = true\n'
    sentence = (
        f"profile.directory: {tmp_path}/file/p takes no profile (a file is in its place), "
        "wanted a folder of the daemon's own"
    )
    with (
        running(*(tmp_path, tmp_path / "b"), stream=name, markers=False, more=more) as daemon,
        headset(name),
    ):
        assert daemon.wait_event("profile_failed")["reason"] == sentence  # at its first decode
        answer = daemon.ask(do="profile", action="start")
        assert (answer["ok"], answer["error"]) == (False, sentence)
        daemon.wait_event("profile_failed")
        daemon.process.send_signal(signal.SIGUSR1)
        daemon.wait_event("profile_failed")
        (tmp_path / "file").unlink()  # and then it takes them
        assert daemon.ask(do="profile", action="start")["ok"]
        (tmp_path / "file" / "p").rmdir()
        (tmp_path / "file").rmdir()
        (tmp_path / "file").write_text("in the way again")
        assert daemon.ask(do="profile", action="stop")["error"] == sentence
        daemon.wait_state("decoding")
        assert daemon.stop() == 0, daemon.log()


def test_a_profile_from_the_first_decode_on(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    name = unique("first")
    more = f'[profile]\nat_start = true\nseconds = 1\ndirectory = "{tmp_path}/p"\n'
    with running(*(tmp_path, tmp_path / "b"), stream=name, markers=False, more=more) as daemon:
        daemon.pump(1.5)
        assert daemon.of("event")[-1]["kind"] == "no_stream"
        with headset(name):
            assert profile_event(daemon, over=True)["decodes"] > 3
        daemon.wait_event("stream_lost", 30)
    assert len(list((tmp_path / "p").iterdir())) == 3
