"""Recordings over real LSL, in this process: what is sent arrives, and what arrived is recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import StreamLost
from runtime.lsl.source import LslSource
from runtime.recordings.recorder import Recorder
from runtime.recordings.source import RecordingSource, read_recording
from runtime.recordings.xdf_writer import XdfWriter, stream_header
from runtime.source import drain
from tests.given import needs_data, recording
from tests.recordings import noise, write_recording
from tests.system.daemons import unique
from tests.system.lsl_outlets import RATE_HZ, Headset, Stimuli, hear, lost, pull
from tools.playback.replay_lsl import offer_over_lsl

pytestmark = pytest.mark.live


@needs_data
@pytest.mark.parametrize(
    ("name", "speed", "n_lost", "n_off"),
    [
        ("ssvep32_run1.xdf", 20, 0, 0),
        ("p300_s1.xdf", 40, 0, 0),
        ("labrecorder_openbci.xdf", 40, 0, 1),
        ("motor_imagery_run1_raw.fif", 40, 0, 1),
        ("minimal.xdf", 4, 0, 0),
        ("clock_resets.xdf", 40, None, 3),  # a sender that sleeps about 11 ms between samples
    ],
)
def test_every_sample_of_a_given_recording_arrives_and_every_marker_in_its_place(
    name: str, speed: float, n_lost: int | None, n_off: int
) -> None:
    path, offered = recording(name), unique("given")
    raw = read_recording(path)
    markers = {"name": f"{offered}-markers"} if raw.markers else None
    source = LslSource({"name": offered, "type": "EEG"}, markers=markers)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(offer_over_lsl, path, name=offered, speed=speed, labels=True)
        info = source.open(20)
        heard = hear(source, lost, within_s=120)
        sent = sending.result()
    source.close()
    assert sent.samples_sent == len(raw.values) == heard.n_samples
    assert sent.markers_sent == len(raw.markers) == len(heard.markers)
    told = [e.figures["n_samples"] for e in heard.events if e.kind == "gap"]
    if n_lost is not None:
        assert sum(told) == n_lost
    direct = RecordingSource(path)
    assert info.channels == direct.open(None).channels
    batches = [(b.samples.copy(), b.markers) for b in drain(direct)]
    np.testing.assert_array_equal(heard.values(), np.concatenate([s for s, _ in batches]))
    placed = [marker for _, found in batches for marker in found]
    assert [m.text for m in heard.markers] == [m.text for m in placed]
    pairs = zip(heard.markers, placed, strict=True)
    off = max((abs(a.index - b.index) for a, b in pairs), default=0)
    assert off <= n_off


@needs_data
def test_what_is_cut_out_of_a_jittery_recording_is_counted(tmp_path: Path) -> None:
    raw = read_recording(recording("labrecorder_openbci.xdf"))
    assert raw.stamps is not None
    keep = np.r_[0:20_000, 20_127 : len(raw.values)]
    writer = XdfWriter(tmp_path / "cut.xdf")
    header = stream_header(
        name="cut", kind="EEG", rate_hz=250.0, channel_format="float32", channels=raw.labels
    )
    number = writer.add_stream(header, channel_format="float32", n_channels=len(raw.labels))
    writer.write_samples(number, raw.values[keep].astype(np.float32), raw.stamps[keep])
    writer.close()
    offered = unique("cut")
    source = LslSource({"name": offered})
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(offer_over_lsl, tmp_path / "cut.xdf", name=offered, speed=40)
        source.open(20)
        heard = hear(source, lost, within_s=120)
        assert sending.result().samples_sent == heard.n_samples == len(keep)
    source.close()
    (gap,) = [event for event in heard.events if event.kind == "gap"]
    n_lost, within = gap.figures["n_samples"], gap.figures["uncertainty_samples"]
    assert isinstance(n_lost, int)
    assert isinstance(within, int)
    assert abs(n_lost - 127) <= within <= 10


def test_a_recorded_live_session_is_read_back_as_it_was(tmp_path: Path) -> None:
    name = unique("live")
    recorders: list[Recorder] = []

    def make_tap(raw: object) -> Recorder:
        recorders.append(Recorder(tmp_path / "a.xdf", raw, marker_stream=f"{name}-m"))  # type: ignore[arg-type]
        return recorders[-1]

    source = LslSource(
        {"name": name}, markers={"name": f"{name}-m"}, channels=("Pz", "Fz"), make_tap=make_tap
    )
    headset, stimuli = Headset(name, unit="V"), Stimuli(f"{name}-m")
    source.open(20)
    stimuli.wait()
    headset.push(600)
    headset.push(600, skip=40)
    for k in (100, 300, 700, 900):
        stimuli.push(f"stim:{k}", headset.began_s + k / RATE_HZ)
    heard = hear(source, lambda h: h.n_samples == 1200)
    headset.push(100)
    pull(source, heard, lambda h: len(h.markers) == 4 and "gap" in h.kinds())
    headset.close()
    pull(source, heard, lost)
    source.close()
    recorders[0].close()
    assert [m.index for m in heard.markers] == [100, 300, 660, 860]
    again = RecordingSource(tmp_path / "a.xdf", channels=("Pz", "Fz"))
    again.open(None)
    batches = [(b.samples.copy(), b.markers, b.events) for b in drain(again)]
    np.testing.assert_array_equal(np.concatenate([b[0] for b in batches]), heard.values())
    assert [m for b in batches for m in b[1]] == heard.markers
    assert sorted(e.kind for b in batches for e in b[2]) == sorted(heard.kinds())
    assert [e for b in batches for e in b[2] if e.kind == "gap"] == [
        e for e in heard.events if e.kind == "gap"
    ]


def test_nobody_there_is_told_within_the_time_given(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.xdf", noise(100))
    with pytest.raises(StreamLost, match=r"nobody connected to the stream .* within 0\.3 s"):
        offer_over_lsl(path, name=unique("alone"), wait_s=0.3)
