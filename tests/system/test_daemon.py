"""The daemon as its users meet it: a process, LSL on one side, ZeroMQ on the other."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from runtime.wire.messages import TIMING_KINDS
from tests.bundles import make_bundle
from tests.recordings import noise, trial_markers, write_recording
from tests.system.daemons import (
    RunningDaemon,
    eegscribe,
    end,
    offer,
    running,
    sent,
    unique,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

WHAT = ("text", "symbols", "samples", "delete")


def finals_of(messages: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(m[key] for key in WHAT) for m in messages if m["topic"] == "text.final"]


def replayed(recording: Path, bundle: Path) -> list[dict[str, Any]]:
    done = eegscribe("replay", recording, "--bundle", bundle, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("head", "n_samples", "speed"), [("ctc", 5000, 4), ("seq2seq", 5000, 4), ("selection", 5000, 2)]
)
def test_a_recording_over_lsl_gives_the_finals_of_its_replay(
    tmp_path: Path, head: str, n_samples: int, speed: float
) -> None:
    make_bundle(tmp_path / "b", head=head)
    recording = write_recording(tmp_path / "r.xdf", noise(n_samples), trial_markers(n_samples))
    *expected, summary = replayed(recording, tmp_path / "b")
    name = unique("same")
    with running(tmp_path, tmp_path / "b", stream=name) as daemon:
        process = offer(recording, name, speed)
        daemon.wait_event("stream_lost", 60)
        counts = sent(process)
        assert daemon.stop() == 0, daemon.log()
        assert counts["samples_sent"] == n_samples
        health = daemon.of("health")[-1]["counters"]
        assert health["samples_received"] == n_samples
        assert health["samples_lost"] == health["samples_overrun"] == 0
        assert counts["markers_sent"] == health["markers_received"] > 0
        assert finals_of(daemon.messages) == finals_of([m for m in expected if "topic" in m])
        assert len(finals_of(daemon.messages)) > 5
        due = health["windows_decoded"] + health["windows_skipped"] + health["windows_pending"]
        assert health["windows_due"] == due > 0
    assert summary["type"] == "summary"
    assert summary["lost_samples"] == 0


def test_a_daemons_own_recording_replays_what_it_published(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", head="selection")
    samples = noise(6000)
    samples[2000:2010, 2] = np.nan
    recording = write_recording(tmp_path / "r.xdf", samples, trial_markers(6000))
    name = unique("own")
    more = f'[record]\ndirectory = "{tmp_path}/recordings"\n'
    with running(tmp_path, tmp_path / "b", stream=name, more=more) as daemon:
        process = offer(recording, name, 3)
        daemon.wait_state("decoding", "idle")
        assert daemon.ask(do="pause")["ok"]
        daemon.pump(1.0)
        assert daemon.ask(do="resume")["ok"]
        daemon.wait_event("stream_lost", 60)
        sent(process)
        assert daemon.stop() == 0, daemon.log()
        published = [m for m in daemon.messages if m["topic"] != "health"]
    (own,) = (tmp_path / "recordings").glob("*.xdf")
    assert own.stat().st_mode & 0o777 == 0o600
    assert own.parent.stat().st_mode & 0o777 == 0o700
    done = eegscribe("replay", own, "--bundle", tmp_path / "b", "--canonical")
    assert done.returncode == 0, done.stderr
    clocks = ("session", "seq", "latency_ms", "start_s", "end_s", "host_ns")
    kept = [
        {k: v for k, v in m.items() if k not in clocks}
        for m in published
        if m.get("kind") not in TIMING_KINDS
    ]
    again = [
        {k: v for k, v in json.loads(line).items() if k not in clocks}
        for line in done.stdout.splitlines()
    ]
    assert again == kept
    assert {"pause", "resume"} <= {m.get("kind") for m in again}


def test_pause_is_silent_and_resume_hears_again(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    recording = write_recording(tmp_path / "r.xdf", noise(20_000), [])
    name = unique("pause")
    with running(tmp_path, tmp_path / "b", stream=name) as daemon:
        process = offer(recording, name)
        daemon.wait_state("decoding")
        assert daemon.ask(do="pause", stream="bench1")["ok"]
        daemon.wait_event("pause")
        daemon.wait_state("paused")
        n_before = len(daemon.of("text.final", "text.partial"))
        daemon.pump(1.5)
        assert len(daemon.of("text.final", "text.partial")) == n_before
        assert "paused" in daemon.of("health")[-1]["reason"]
        assert daemon.ask(do="resume")["ok"]
        daemon.wait_event("resume")
        assert daemon.pump(10, lambda m: m["topic"] == "text.partial")
        assert not daemon.ask(do="pause", stream="nobody")["ok"]
        end(process)


def test_text_never_reaches_the_log(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b", head="selection")
    recording = write_recording(tmp_path / "r.xdf", noise(3000), trial_markers(3000))
    name = unique("log")
    with running(
        tmp_path, tmp_path / "b", stream=name, more='[log]\nformat = "json"\nlevel = "debug"\n'
    ) as daemon:
        process = offer(recording, name, 2)
        daemon.wait_event("stream_lost", 60)
        sent(process)
        assert daemon.stop() == 0
        lines = [json.loads(line) for line in daemon.log().splitlines() if line.startswith("{")]
    assert any(line["event"] == "final" for line in lines)
    for line in lines:
        assert not {"text", "transcript", "symbols", "symbol", "nbest"} & set(line), line


def test_health_comes_every_second_and_adds_up(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    recording = write_recording(tmp_path / "r.xdf", noise(3000))
    name = unique("health")
    with running(tmp_path, tmp_path / "b", stream=name, markers=False) as daemon:
        process = offer(recording, name)
        health = daemon.wait_state("decoding")
        began_s = time.monotonic()
        daemon.pump(5.0)
        many = [m for m in daemon.of("health") if m["seq"] > health["seq"]]
        assert abs(len(many) - (time.monotonic() - began_s)) <= 1.5
        newest = many[-1]
        assert newest["rates"]["received_hz"] == pytest.approx(250, rel=0.2)
        assert [q["state"] for q in newest["quality"]] == ["good"] * 4
        assert newest["latency_ms"]["total"]["n"] > 0
        assert newest["over_budget"] <= 1.0
        end(process)


def hold(daemon: RunningDaemon) -> None:
    """Freeze the process as a debugger would."""
    daemon.process.send_signal(signal.SIGSTOP)


def test_a_frozen_daemon_stops_feeding_the_watchdog(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    with running(tmp_path, tmp_path / "b", stream=unique("frozen"), markers=False) as daemon:
        assert daemon.notified("WATCHDOG=1")
        hold(daemon)
        while daemon.notified("WATCHDOG=1", 0.2):
            pass
        assert not daemon.notified("WATCHDOG=1", 2.0)
        daemon.process.send_signal(signal.SIGCONT)
        assert daemon.notified("WATCHDOG=1", 5.0)
