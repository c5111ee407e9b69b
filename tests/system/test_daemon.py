"""The daemon as its users meet it: a process, LSL on one side, ZeroMQ on the other."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.bundles import make_bundle
from tests.recordings import noise, trial_markers, write_recording
from tests.system.daemons import RunningDaemon, eegscribe, running, start, unique

if TYPE_CHECKING:
    from pathlib import Path

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

WHAT = ("text", "symbols", "samples", "delete")


def offer(recording: Path, name: str, speed: float = 1.0) -> subprocess.Popen[str]:
    return start(
        "replay", recording, "--through", "lsl", "--name", name, "--speed", str(speed), "--json"
    )


def sent(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


def end(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.communicate()


def finals_of(messages: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(m[key] for key in WHAT) for m in messages if m["topic"] == "text.final"]


def replayed(recording: Path, bundle: Path) -> list[dict[str, Any]]:
    done = eegscribe("replay", recording, "--bundle", bundle, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("head", "n_samples", "speed"), [("ctc", 5000, 4), ("selection", 5000, 2)])
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
    timing = {"stream_lost", "stream_found", "late", "backlog"}
    clocks = ("session", "seq", "latency_ms", "start_s", "end_s", "host_ns")
    kept = [
        {k: v for k, v in m.items() if k not in clocks}
        for m in published
        if m.get("kind") not in timing
    ]
    again = [
        {k: v for k, v in json.loads(line).items() if k not in clocks}
        for line in done.stdout.splitlines()
    ]
    assert again == kept
    assert {"pause", "resume"} <= {m.get("kind") for m in again}


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


def test_a_headset_switched_off_is_told_and_awaited(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    recording = write_recording(tmp_path / "r.xdf", noise(1000))
    name = unique("off")
    with running(tmp_path, tmp_path / "b", stream=name, markers=False) as daemon:
        assert "no LSL stream with name" in daemon.wait_state("waiting")["reason"]
        assert "no LSL stream with name" in daemon.of("event")[0]["reason"]
        assert daemon.of("event")[0]["kind"] == "no_stream"
        for _ in range(2):
            process = offer(recording, name, 2)
            daemon.wait_event("stream_found", 40)
            daemon.wait_event("stream_lost", 40)
            assert sent(process)["samples_sent"] == 1000
        daemon.wait_state("waiting")
        assert daemon.of("health")[-1]["counters"]["samples_received"] == 2000
        assert daemon.notified("WATCHDOG=1")
        assert daemon.stop() == 0
        assert not (tmp_path / "messages").exists()
        assert not (tmp_path / "control").exists()


def test_a_daemon_without_markers_hears_a_recording_that_has_some(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    markers = [(5, "text:a"), (100, "5"), (900, "text:end")]
    recording = write_recording(tmp_path / "r.xdf", noise(1000), markers)
    name = unique("unheard")
    with running(tmp_path, tmp_path / "b", stream=name, markers=False) as daemon:
        words = ("replay", recording, "--through", "lsl", "--name", name, "--speed", "2")
        done = eegscribe(*words, "--wait", "20", "--json")
        assert done.returncode == 0, done.stderr
        assert "nobody listened to the markers" in done.stderr
        summary = json.loads(done.stdout.splitlines()[-1])
        assert summary == {"type": "summary", "samples_sent": 1000, "markers_sent": 1}
        daemon.wait_event("stream_lost")
        assert daemon.stop() == 0
        assert daemon.of("health")[-1]["counters"]["samples_received"] == 1000


def test_check_warns_of_two_streams_that_match(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    name = unique("twins")
    config = tmp_path / "c.toml"
    config.write_text(f'[stream]\nname = "s"\nlsl = {{ name = "{name}" }}\nbundle = "b"\n')
    twins = [
        subprocess.Popen([sys.executable, "-c", MUTE, name], stdin=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for twin in twins:
            assert twin.stdin is not None
            twin.stdin.write("go\n")
            twin.stdin.flush()
        done = eegscribe("check", "--config", config, "--timeout", "20")
        assert "warning stream s: 2 streams match" in done.stdout, done.stdout
    finally:
        for twin in twins:
            end(twin)


def test_a_stream_without_samples_is_told_once_and_when_it_speaks(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    name = unique("mute")
    with running(tmp_path, tmp_path / "b", stream=name, markers=False) as daemon:
        process = subprocess.Popen(
            [sys.executable, "-c", MUTE, name], stdin=subprocess.PIPE, text=True
        )
        try:
            event = daemon.wait_event("stream_silent", 30)
            assert (event["over"], "sends no samples" in event["reason"]) == (False, True)
            assert daemon.wait_state("silent")["counters"]["samples_received"] == 0
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            assert daemon.wait_event("stream_silent", 30)["over"] is True
            kinds = [m["kind"] for m in daemon.of("event")]
            assert kinds.count("stream_silent") == 2
        finally:
            end(process)


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


@pytest.mark.parametrize("form", ["console", "json"])
def test_without_a_stream_in_time_the_daemon_says_so_and_exits_69(
    tmp_path: Path, form: str
) -> None:
    make_bundle(tmp_path / "b")
    config = tmp_path / "c.toml"
    config.write_text(
        f'[stream]\nname = "s"\nlsl = {{ name = "{unique("nobody")}" }}\nbundle = "b"\n'
        f'resolve_timeout_s = 1.0\n[publish]\nendpoint = "ipc://{tmp_path}/m"\n'
        f'[control]\nendpoint = "ipc://{tmp_path}/c"\n[journal]\npath = "j.sqlite"\n'
        f'[log]\nformat = "{form}"\n'
    )
    done = eegscribe("run", "--config", config)
    assert done.returncode == 69, done.stderr
    assert "Traceback" not in done.stderr
    *logged, last = done.stderr.splitlines()
    assert last.startswith("eegscribe: no LSL stream with name"), done.stderr
    assert not [line for line in logged if line.startswith("eegscribe:")]
    if form == "json":
        told = [json.loads(line) for line in logged]
        assert told[-1]["event"] == "stopped"
        assert (f"eegscribe: {told[-1]['error']}", told[-1]["exit_code"]) == (last, 69)


def test_a_stream_that_does_not_fit_is_refused_with_65(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    recording = write_recording(tmp_path / "r.xdf", noise(1000))
    name = unique("wrong")
    with running(tmp_path, tmp_path / "b", stream=name, markers=False) as daemon:
        other = tmp_path / "other.py"
        other.write_text(
            "import pylsl, time\n"
            f"info = pylsl.StreamInfo({name!r}, 'EEG', 4, 500.0, 'float32', {name!r})\n"
            "channels = info.desc().append_child('channels')\n"
            "for label in ('Fz', 'Cz', 'Pz', 'Oz'):\n"
            "    channels.append_child('channel').append_child_value('label', label)\n"
            "outlet = pylsl.StreamOutlet(info)\n"
            "for _ in range(2000):\n"
            "    outlet.push_sample([0.0] * 4); time.sleep(0.002)\n"
        )
        process = subprocess.Popen([os.sys.executable, str(other)])
        try:
            assert daemon.process.wait(20) == 65
        finally:
            end(process)
        assert daemon.log().splitlines()[-1].startswith(f"eegscribe: {name}: rate is 500 Hz")
        assert "Traceback" not in daemon.log()
    assert recording.exists()


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


def test_a_dead_channel_is_told_and_a_dead_headset_is_silent(tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    samples = noise(3000)
    samples[:, 2] = 0.0
    samples[1500:] = 0.0
    recording = write_recording(tmp_path / "r.xdf", samples)
    name = unique("dead")
    with running(tmp_path, tmp_path / "b", stream=name, markers=False) as daemon:
        process = offer(recording, name)
        event = daemon.wait_event("bad_channel")
        assert (event["channel"], event["state"], event["over"]) == ("Pz", "flat", False)
        daemon.wait_event("stream_lost", 40)
        sent(process)
        assert daemon.stop() == 0, daemon.log()
        texts = [m for m in daemon.of("text.final") if m["text"]]
        assert texts
        assert max(m["samples"][0] for m in texts) < 1800
        told = {m["channel"] for m in daemon.of("event") if m["kind"] == "bad_channel"}
        assert told == {"Fz", "Cz", "Pz", "Oz"}
