"""A recording is handed over to the letter: samples, markers, events, each in its place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import RecordingError
from pipeline.values import Event, Marker
from runtime.recordings.recorder import Recorder
from runtime.recordings.source import RecordingSource, read_recording
from runtime.recordings.xdf_writer import XdfWriter, stream_header
from runtime.source import RawStream
from tests.recording_files import LABELS, RATE_HZ, eeg, read, write


def test_an_xdf_recording_comes_back_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf")
    source = RecordingSource(path, chunk_samples=7)
    info = source.open(None)
    assert (info.name, info.rate_hz, info.channels, info.unit) == (
        "cap", RATE_HZ, LABELS, "microvolts",
    )  # fmt: skip
    samples, markers, events = read(RecordingSource(path, chunk_samples=7))
    np.testing.assert_array_equal(samples, eeg())
    assert markers == [
        Marker("stim:on", 100, 100),
        Marker("label: a", 100, 100),
        Marker("trial:end", 250, 250),
    ]
    assert events == []
    assert source.lsl_time(150) == pytest.approx(51.5, abs=1e-6)


@pytest.mark.parametrize("chunk_samples", [1, 33, 400, 10_000])
def test_chunks_change_nothing(tmp_path: Path, chunk_samples: int) -> None:
    stamps = np.delete(50.0 + np.arange(450) / RATE_HZ, np.s_[330:380])
    path = write(tmp_path / "a.xdf", stamps=stamps[:400])
    samples, markers, events = read(RecordingSource(path, chunk_samples=chunk_samples))
    whole = read(RecordingSource(path, chunk_samples=400))
    np.testing.assert_array_equal(samples, whole[0])
    assert (markers, events) == whole[1:]
    assert [(event.kind, event.sample) for event in events] == [("gap", 330)]
    assert events[0].figures["n_samples"] == 50


@pytest.mark.parametrize(
    ("unit", "to_uv"),
    [
        ("V", 1e6),
        ("mV", 1e3),
        ("µV", 1),
        ("uV", 1),
        ("microvolts", 1),
        ("nV", 1e-3),
        ("", 1),
        ("bananas", 1),
    ],
)
def test_units_become_microvolts_and_a_missing_one_is_told(
    tmp_path: Path, unit: str, to_uv: float
) -> None:
    samples, _, events = read(RecordingSource(write(tmp_path / "a.xdf", unit=unit)))
    np.testing.assert_allclose(samples, eeg() * to_uv, rtol=1e-6)
    assert [event.kind for event in events] == ["unit_assumed"] * (unit in ("", "bananas"))


def test_channels_are_picked_and_ordered_by_label(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf")
    samples, _, _ = read(RecordingSource(path, channels=("Pz", "Fz")))
    np.testing.assert_array_equal(samples, eeg()[:, [2, 0]])
    with pytest.raises(RecordingError, match=r"a\.xdf: lacks Oz; it has Fz, Cz, Pz"):
        RecordingSource(path, channels=("Fz", "Oz")).open(None)


def test_markers_are_placed_with_both_clocks_corrected(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.xdf",
        markers=[("stim:on", 1000.0 + 51.0)],
        offsets=([(50.0 + k, 7.0) for k in range(9)], [(1050.0 + k, -993.0) for k in range(9)]),
    )
    _, markers, _ = read(RecordingSource(path))
    assert [marker.index for marker in markers] == [100]


def test_markers_keep_their_place_when_a_clock_is_reset_in_the_middle(tmp_path: Path) -> None:
    stamps = np.concatenate((9000 + np.arange(1000) / RATE_HZ, 20 + np.arange(1000) / RATE_HZ))
    # The recorder's clock goes on: 100 … 110 s before, 110 … 120 s after.
    clocks = [(9000.0 + k, -8900.0) for k in range(10)] + [(20.0 + k, 90.0) for k in range(10)]
    path = write(
        tmp_path / "a.xdf",
        values=eeg(2000),
        stamps=stamps,
        markers=[("stim:on", 105.0), ("stim:on", 115.0)],
        offsets=(clocks, []),
    )
    _, markers, events = read(RecordingSource(path))
    assert [marker.index for marker in markers] == [500, 1500]
    assert [event.kind for event in events] == ["clock_jump"]


def test_markers_of_a_long_recording_keep_their_place_to_its_end(tmp_path: Path) -> None:
    n_samples = round(2.5 * 3600 * 20)
    stamps = np.delete(np.arange(n_samples + 40) / RATE_HZ, np.s_[500:540])
    path = write(
        tmp_path / "a.xdf",
        values=np.zeros((n_samples, 1), np.float32),
        stamps=stamps,
        labels=("Cz",),
        n_chunk=4096,
        markers=[("stim:on", float(stamps[k])) for k in (100, 600, 90_000, n_samples - 1)],
    )
    _, markers, _ = read(RecordingSource(path))
    assert [marker.index for marker in markers] == [100, 600, 90_000, n_samples - 1]


def test_a_marker_before_the_first_sample_is_told_and_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf", markers=[("stim:on", 49.0), ("stim:on", 50.001)])
    _, markers, events = read(RecordingSource(path))
    assert markers == [Marker("stim:on", 0, 0)]
    assert [(event.kind, event.figures) for event in events] == [
        ("markers_early", {"n_markers": 1})
    ]


def test_integer_markers_are_taken_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    writer = XdfWriter(path)
    header = stream_header(
        name="c", kind="EEG", rate_hz=100.0, channel_format="int16", channels=["A"]
    )
    first = writer.add_stream(header, channel_format="int16", n_channels=1)
    header = stream_header(
        name="m", kind="Markers", rate_hz=0, channel_format="int32", n_channels=1
    )
    second = writer.add_stream(header, channel_format="int32", n_channels=1)
    writer.write_samples(first, np.arange(100)[:, None], np.arange(100) / RATE_HZ)
    writer.write_samples(second, np.array([[33]]), np.array([0.5]))
    writer.close()
    samples, markers, _ = read(RecordingSource(path))
    np.testing.assert_array_equal(samples[:, 0], np.arange(100))
    assert markers == [Marker("33", 50, 50)]


def test_our_own_recording_gives_back_exactly_what_the_chain_took(tmp_path: Path) -> None:
    raw = RawStream("cap", "cap-1", RATE_HZ, "float32", LABELS, "V")
    recorder = Recorder(tmp_path / "a.xdf", raw, clock=lambda: 50.0)
    stamps = 50.0 + np.arange(400) / RATE_HZ
    values = eeg() * 1e-6
    given = [
        Marker("stim:on", 90, 120),
        Marker("trial:start", 100, 120),
        Marker("label: x", 130, 260),
    ]
    told = [
        Event("stream_found", 0, 0, {"rate_hz": 100.0}),
        Event("gap", 210, 260, {"n_samples": 9}),
    ]
    recorder.event(told[0])
    recorder.samples(values[:250], stamps[:250])
    for marker in given:
        recorder.marker(marker, 51.0)
    recorder.event(told[1])
    recorder.text('{"text":"hallo"}')
    recorder.samples(values[250:], stamps[250:])
    recorder.close()
    samples, markers, events = read(RecordingSource(tmp_path / "a.xdf"))
    np.testing.assert_array_equal(samples, values * np.float32(1e6))
    assert (markers, events) == (given, told)


def test_what_the_recorder_dropped_is_told_and_the_rest_keeps_its_place(tmp_path: Path) -> None:
    writer = XdfWriter(tmp_path / "a.xdf")
    raw = RawStream("cap", "", RATE_HZ, "float32", LABELS)
    header = stream_header(
        name="cap", kind="EEG", rate_hz=100.0, channel_format="float32", channels=LABELS
    )
    first = writer.add_stream(header, channel_format="float32", n_channels=3)
    second = writer.add_strings("eegscribe-inputs", kind="eegscribe")
    kept = np.r_[0:100, 150:400]
    writer.write_samples(first, eeg()[kept], kept / RATE_HZ)
    for entry in (
        {"marker": {"text": "stim:on", "index": 60, "known_at": 90}},
        {"dropped": {"first": 100, "n_samples": 50}},
        {"marker": {"text": "stim:on", "index": 120, "known_at": 160}},
        {"marker": {"text": "stim:on", "index": 200, "known_at": 200}},
    ):
        writer.write_strings(second, [json.dumps(entry)], [1.0])
    writer.close()
    assert raw.channels == LABELS
    _, markers, events = read(RecordingSource(tmp_path / "a.xdf"))
    assert [(m.index, m.known_at) for m in markers] == [(60, 90), (100, 110), (150, 150)]
    assert [(e.kind, e.sample, e.figures["n_samples"]) for e in events] == [("overrun", 100, 50)]


def test_unknown_kinds_of_file_are_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"a\.txt: unknown kind of file, wanted one of \.xdf"):
        read_recording(tmp_path / "a.txt")
