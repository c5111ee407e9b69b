"""Every given recording through LSL into the daemon, with every sample accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.spec import Band, CtcDecoder
from runtime.recordings.source import read_recording
from runtime.recordings.xdf_writer import XdfWriter, stream_header
from tests.bundles import ctc_spec, make_bundle
from tests.given import needs_data, recording
from tests.system.daemons import eegscribe, running, start, unique

pytestmark = pytest.mark.live

SPEED = 25

READABLE = (
    "ssvep32_run1.xdf",
    "p300_s1.xdf",
    "motor_imagery_run1_raw.fif",
    "labrecorder_openbci.xdf",
    "clock_resets.xdf",
    "minimal.xdf",
)


def bundle_for(path: Path, folder: Path) -> Path:
    """Write a bundle that takes this recording's channels at its rate."""
    raw = read_recording(path)
    band = Band(low_hz=raw.rate_hz / 100, high_hz=raw.rate_hz / 5, order=2)
    decoder = CtcDecoder(method="greedy", stability_s=0.5, endpoint_s=1.0)
    spec = ctc_spec(rate_hz=raw.rate_hz, channels=raw.labels, bands=(band,), decoder=decoder)
    make_bundle(folder / "b", spec=spec)
    return folder / "b"


def through_the_daemon(
    path: Path, folder: Path, speed: float = SPEED
) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    """Offer a recording to a daemon; return its last counters, its gaps, and what was sent."""
    name = unique("given")
    has_markers = bool(read_recording(path).markers)
    with running(folder, bundle_for(path, folder), stream=name, markers=has_markers) as daemon:
        words = (
            "replay",
            path,
            "--through",
            "lsl",
            "--name",
            name,
            "--speed",
            str(speed),
            "--json",
        )
        process = start(*words)
        daemon.wait_event("stream_lost", 120)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        counts = json.loads(out.splitlines()[-1])
        assert daemon.stop() == 0, daemon.log()
        health = daemon.of("health")[-1]["counters"]
        gaps = [m for m in daemon.of("event") if m["kind"] == "gap"]
    assert health["samples_overrun"] == 0
    return health, gaps, int(counts["samples_sent"])


@needs_data
@pytest.mark.parametrize("name", READABLE)
def test_every_sample_is_accounted_for(tmp_path: Path, name: str) -> None:
    health, gaps, n_sent = through_the_daemon(recording(name), tmp_path)
    assert n_sent == health["samples_received"]
    assert health["samples_lost"] == sum(gap["n_samples"] for gap in gaps)
    if name != "clock_resets.xdf":
        assert health["samples_lost"] == 0


@needs_data
def test_samples_cut_out_of_a_jittery_recording_are_told_within_their_uncertainty(
    tmp_path: Path,
) -> None:
    raw = read_recording(recording("labrecorder_openbci.xdf"))
    assert raw.stamps is not None
    keep = np.r_[0:20_000, 20_127 : len(raw.values)]
    path = tmp_path / "cut.xdf"
    writer = XdfWriter(path)
    header = stream_header(
        name="cut", kind="EEG", rate_hz=250.0, channel_format="float32", channels=raw.labels
    )
    stream = writer.add_stream(header, channel_format="float32", n_channels=len(raw.labels))
    writer.write_samples(stream, raw.values[keep].astype(np.float32), raw.stamps[keep])
    writer.close()
    health, gaps, n_sent = through_the_daemon(path, tmp_path)
    assert n_sent == health["samples_received"]
    (gap,) = gaps
    assert abs(gap["n_samples"] - 127) <= gap["uncertainty_samples"] < 30
    assert abs(gap["sample"] - 20_000) < 250


@needs_data
def test_streams_without_samples_are_refused_in_one_sentence(tmp_path: Path) -> None:
    process = start("replay", recording("empty_streams.xdf"), "--through", "lsl")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 65
    assert out == ""
    assert err.startswith("eegscribe: ")
    assert len(err.strip().splitlines()) == 1


@needs_data
def test_a_calibrated_speller_says_the_same_live_and_in_replay(tmp_path: Path) -> None:
    runs = [recording(f"ssvep32_run{k}.xdf") for k in (1, 2, 3)]
    bundle = tmp_path / "speller.eegb"
    words = ("--paradigm", "ssvep", "--layout", recording("ssvep32_layout.json"), "--out", bundle)
    done = eegscribe("calibrate", *runs[:2], *words, "--json")
    assert done.returncode == 0, done.stderr
    done = eegscribe("replay", runs[2], "--bundle", bundle, "--json")
    assert done.returncode == 0, done.stderr
    *expected, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert summary["symbols"]["total"] == 64
    assert summary["symbols"]["correct"] >= 52  # plain filter-bank TDCA gets 46 of these
    name = unique("speller")
    with running(tmp_path, bundle, stream=name) as daemon:
        process = start("replay", runs[2], "--through", "lsl", "--name", name, "--speed", "6")
        daemon.wait_event("stream_lost", 120)
        process.communicate(timeout=60)
        assert daemon.stop() == 0, daemon.log()
        heard = daemon.of("text.final")
    keys = ("text", "symbols", "samples", "delete")
    assert [[m[k] for k in keys] for m in heard] == [
        [m[k] for k in keys] for m in expected if m["topic"] == "text.final"
    ]
