"""What a daemon does about a stream that is missing, silent, dead, doubled or another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bundles import make_bundle
from tests.recordings import noise, write_recording
from tests.system.daemons import (
    MUTE,
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
