"""The LSL source on real LSL, in this process: what is pushed arrives, counted and in its place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pylsl
import pytest

from pipeline.errors import BundleError, StreamLost
from pipeline.values import Batch, Event, Marker
from runtime import lsl_inlet
from runtime.lsl import LslSource
from runtime.recorder import Recorder
from runtime.recording import RecordingSource, read_recording
from runtime.source import StreamInfo, drain
from runtime.xdf_writer import XdfWriter, stream_header
from tests.given import needs_data, recording
from tests.recordings import noise, write_recording
from tests.system.daemons import unique
from tools.replay_lsl import offer_over_lsl

RATE_HZ = 250.0
LABELS = ("Fz", "Cz", "Pz")


@dataclass
class Heard:
    """What a source gave, checked as it came."""

    info: StreamInfo | None = None
    samples: list[np.ndarray] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    n_samples: int = 0

    def add(self, batch: Batch) -> None:
        assert batch.first == self.n_samples
        assert batch.samples.dtype == np.float32
        self.n_samples += len(batch.samples)
        for given in (*batch.markers, *batch.events):
            assert batch.first <= given.known_at <= self.n_samples
        if len(batch.samples):
            assert batch.stamp_ns is not None
            assert batch.received_ns is not None
            self.samples.append(batch.samples.copy())
        self.markers += batch.markers
        self.events += batch.events

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def values(self) -> np.ndarray:
        return np.concatenate(self.samples)


def hear(source: LslSource, until: Callable[[Heard], bool], *, within_s: float = 20.0) -> Heard:
    """Pull from an opened source until ``until``; fail after ``within_s``."""
    heard = Heard()
    pull(source, heard, until, within_s=within_s)
    return heard


def pull(
    source: LslSource, heard: Heard, until: Callable[[Heard], bool], *, within_s: float = 20.0
) -> None:
    end_s = time.monotonic() + within_s
    while not until(heard):
        assert time.monotonic() < end_s, (heard.n_samples, heard.kinds(), heard.markers[-3:])
        batch = source.pull(0.05)
        if batch is not None:
            heard.add(batch)


def lost(heard: Heard) -> bool:
    return "stream_lost" in heard.kinds()


class Headset:
    """An outlet of three channels whose values count the samples pushed."""

    def __init__(
        self,
        name: str,
        *,
        channel_format: int = pylsl.cf_float32,
        labels: tuple[str, ...] = LABELS,
        unit: str = "microvolts",
        rate_hz: float = RATE_HZ,
        source_id: str | None = None,
    ) -> None:
        info = pylsl.StreamInfo(
            name, "EEG", len(labels), rate_hz, channel_format, source_id or name
        )
        channels = info.desc().append_child("channels")
        for label in labels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info)
        self._n_channels = len(labels)
        self.n_pushed = 0
        self.began_s = pylsl.local_clock()

    def push(self, n_samples: int, *, skip: int = 0) -> None:
        """Push the next samples with exact stamps, after ``skip`` that are never sent."""
        self.n_pushed += skip
        counts = np.arange(self.n_pushed, self.n_pushed + n_samples)
        self.n_pushed += n_samples
        values = (
            np.repeat(counts[:, None], self._n_channels, axis=1) + np.arange(self._n_channels) / 4
        )
        stamps = self.began_s + counts / RATE_HZ
        assert self._outlet is not None
        dtype = np.float32
        self._outlet.push_chunk(values.astype(dtype).tolist(), stamps.tolist())

    def wait(self) -> None:
        assert self._outlet is not None
        assert self._outlet.wait_for_consumers(20)

    def close(self) -> None:
        self._outlet = None


class Stimuli:
    """A marker outlet."""

    def __init__(self, name: str, channel_format: int = pylsl.cf_string) -> None:
        self._outlet = pylsl.StreamOutlet(
            pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, channel_format, name)
        )

    def push(self, value: str | int, stamp: float) -> None:
        self._outlet.push_sample([value], stamp)

    def wait(self) -> None:
        assert self._outlet.wait_for_consumers(20)


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


@pytest.mark.parametrize(
    "channel_format", [pylsl.cf_float32, pylsl.cf_double64, pylsl.cf_int16, pylsl.cf_int32]
)
def test_channels_are_picked_by_label_and_scaled_in_any_format(channel_format: int) -> None:
    name = unique("pick")
    headset = Headset(name, channel_format=channel_format, unit="mV")
    source = LslSource({"name": name}, channels=("Pz", "Fz"))
    info = source.open(20)
    assert (info.channels, info.unit, info.rate_hz) == (("Pz", "Fz"), "mV", RATE_HZ)
    assert info.uid
    headset.push(300)
    heard = hear(source, lambda h: h.n_samples == 300)
    whole = channel_format in (pylsl.cf_int16, pylsl.cf_int32)
    wanted = np.arange(300)[:, None] + np.array([0.0 if whole else 0.5, 0.0])
    np.testing.assert_allclose(heard.values(), 1e3 * wanted, rtol=1e-6)
    source.close()
    source.close()


def test_a_missing_unit_is_taken_as_microvolts_and_told() -> None:
    name = unique("unit")
    headset = Headset(name, unit="")
    source = LslSource({"name": name})
    source.open(20)
    headset.push(10)
    heard = hear(source, lambda h: h.n_samples == 10)
    assert heard.kinds() == ["stream_found", "unit_assumed"]
    source.close()


def test_what_does_not_fit_is_refused_in_one_sentence() -> None:
    name = unique("fit")
    headset = Headset(name)
    with pytest.raises(BundleError, match=rf"{name}: lacks Oz; it has Fz, Cz, Pz"):
        LslSource({"name": name}, channels=("Oz",)).open(20)
    headset.close()
    name = unique("irregular")
    headset = Headset(name, rate_hz=pylsl.IRREGULAR_RATE)
    with pytest.raises(BundleError, match="no regular rate"):
        LslSource({"name": name}).open(20)
    headset.close()
    name = unique("text")
    headset = Headset(name, channel_format=pylsl.cf_string)
    with pytest.raises(BundleError, match="not numbers"):
        LslSource({"name": name}).open(20)


def test_a_stream_that_is_not_there_is_lost_within_the_time_given() -> None:
    source = LslSource({"name": 'it\'s "" not'[:5] + unique("none"), "type": "EEG"})
    began_s = time.monotonic()
    with pytest.raises(StreamLost, match=r"no LSL stream with .* within 0\.6 s"):
        source.open(0.6)
    assert 0.5 < time.monotonic() - began_s < 3
    source.close()


def test_only_the_stream_that_all_fields_name_is_taken() -> None:
    name = unique("same")
    others = [Headset(name, source_id=f"{name}-{k}") for k in range(3)]
    source = LslSource({"name": name, "source_id": f"{name}-1"})
    info = source.open(20)
    assert info.source_id == f"{name}-1"
    source.close()
    del others


def test_an_outlet_that_restarts_is_found_again_and_counting_goes_on() -> None:
    name = unique("again")
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    stimuli = Stimuli(f"{name}-m")
    headset = Headset(name)
    first_uid = source.open(20).uid
    stimuli.wait()
    headset.began_s = pylsl.local_clock() - 500 / RATE_HZ
    headset.push(500)
    heard = hear(source, lambda h: h.n_samples == 500)
    headset.close()
    pull(source, heard, lost, within_s=20)
    stimuli.push("stim:between", pylsl.local_clock())
    pull(source, heard, lambda _: True)
    headset = Headset(name)
    pull(source, heard, lambda h: h.kinds().count("stream_found") == 2, within_s=20)
    headset.began_s = pylsl.local_clock()
    headset.push(500)
    stimuli.push("stim:after", headset.began_s + 250 / RATE_HZ)
    pull(source, heard, lambda h: h.n_samples == 1000)
    headset.push(10)
    pull(source, heard, lambda h: len(h.markers) == 2)
    assert heard.kinds() == ["stream_found", "stream_lost", "stream_found"]
    assert [event.sample for event in heard.events] == [0, 500, 500]
    np.testing.assert_array_equal(heard.values()[:1000, 0], np.tile(np.arange(500.0), 2))
    assert heard.markers[0].index in (499, 500)
    assert heard.markers[1].index == 750
    assert first_uid
    assert source.lsl_time(750) == pytest.approx(headset.began_s + 1.0, abs=0.01)
    assert source.lsl_time(250) < headset.began_s
    source.close()


def test_a_silent_stream_stays_and_a_silent_one_that_left_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lsl_inlet, "SILENT_S", 0.4)
    name = unique("silent")
    headset = Headset(name)
    source = LslSource({"name": name})
    source.open(20)
    headset.push(50)
    heard = hear(source, lambda h: h.n_samples == 50)
    end_s = time.monotonic() + 3.0
    pull(source, heard, lambda _: time.monotonic() > end_s)
    assert heard.kinds() == ["stream_found"]
    headset.push(50)
    pull(source, heard, lambda h: h.n_samples == 100)
    # Unplugged: no connection is closed, and nobody answers for it any more.
    monkeypatch.setattr(lsl_inlet, "resolve", lambda *_: None)
    pull(source, heard, lost, within_s=20)
    source.close()


def test_a_marker_waits_for_its_samples_and_is_placed_behind_a_gap() -> None:
    name = unique("wait")
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    headset, stimuli = Headset(name), Stimuli(f"{name}-m")
    source.open(20)
    stimuli.wait()
    headset.push(500)
    heard = hear(source, lambda h: h.n_samples == 500)
    stimuli.push("stim:x", headset.began_s + 620 / RATE_HZ)
    for _ in range(10):
        pull(source, heard, lambda _: True)
        time.sleep(0.02)
        batch = source.pull(0.01)
        if batch is not None:
            heard.add(batch)
    assert heard.markers == []  # its samples have not come, and may never
    headset.push(300, skip=100)
    pull(source, heard, lambda h: len(h.markers) == 1)
    assert heard.markers == [Marker("stim:x", 520, heard.markers[0].known_at)]
    assert heard.markers[0].known_at >= 520
    source.close()


@pytest.mark.parametrize("channel_format", [pylsl.cf_int32, pylsl.cf_double64])
def test_numbers_as_markers_are_taken_as_text(channel_format: int) -> None:
    name = unique("numbers")
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    headset, stimuli = Headset(name), Stimuli(f"{name}-m", channel_format)
    source.open(20)
    stimuli.wait()
    headset.push(100)
    stimuli.push(33, headset.began_s + 40 / RATE_HZ)
    heard = hear(source, lambda h: h.n_samples == 100)
    headset.push(50)
    pull(source, heard, lambda h: len(h.markers) == 1)
    assert (heard.markers[0].text, heard.markers[0].index) == ("33", 40)
    source.close()


def test_markers_keep_the_order_they_came_in_at_one_time() -> None:
    name = unique("ties")
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    headset, stimuli = Headset(name), Stimuli(f"{name}-m")
    source.open(20)
    stimuli.wait()
    texts = ["trial:start", "label:b", "label:a", "stim:on"]
    for text in texts:
        stimuli.push(text, headset.began_s + 10 / RATE_HZ)
    headset.push(300)
    heard = hear(source, lambda h: h.n_samples == 300)
    headset.push(10)
    pull(source, heard, lambda h: len(h.markers) == 4)
    assert [marker.text for marker in heard.markers] == texts
    assert {marker.index for marker in heard.markers} == {10}
    source.close()


def test_a_consumer_that_was_away_for_a_while_misses_nothing() -> None:
    name = unique("backlog")
    headset = Headset(name)
    source = LslSource({"name": name})
    source.open(20)
    headset.wait()
    for _ in range(40):
        headset.push(250)
    time.sleep(0.5)
    heard = hear(source, lambda h: h.n_samples == 10_000)
    np.testing.assert_array_equal(heard.values()[:, 0], np.arange(10_000.0))
    assert heard.kinds() == ["stream_found"]
    source.close()


def test_closing_ends_every_thread_it_began() -> None:
    name = unique("threads")
    before = threading.active_count()
    headset = Headset(name)
    source = LslSource({"name": name}, markers={"name": f"{name}-m"})
    source.open(20)
    headset.push(10)
    hear(source, lambda h: h.n_samples == 10)
    source.close()
    end_s = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end_s:
        time.sleep(0.05)
    assert threading.active_count() == before


def test_nobody_there_is_told_within_the_time_given(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "a.xdf", noise(100))
    with pytest.raises(StreamLost, match=r"nobody connected to the stream .* within 0\.3 s"):
        offer_over_lsl(path, name=unique("alone"), wait_s=0.3)
