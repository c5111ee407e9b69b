"""The recorder keeps everything, never makes its caller wait, and counts what it cannot keep."""

from __future__ import annotations

import json
import stat
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pyxdf

from pipeline.errors import RecordingError
from pipeline.values import Event, Marker
from runtime.recordings.recorder import INPUTS_STREAM, Recorder
from runtime.recordings.xdf_writer import XdfWriter
from runtime.source import RawStream

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RAW = RawStream("cap", "cap-1", 250.0, "int16", ("Cz", "Pz"), "uV")


def read(path: Path) -> dict[str, dict[str, Any]]:
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    return {stream["info"]["name"][0]: stream for stream in streams}


def test_everything_that_arrived_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "private" / "a.xdf"
    recorder = Recorder(path, RAW, marker_stream="marks", clock=lambda: 7.0)
    values = np.arange(20, dtype=np.int16).reshape(10, 2)
    stamps = np.arange(10.0)
    recorder.samples(values, stamps)
    values[:], stamps[:] = -1, -1  # the source's buffers are used again at once
    marker = Marker("stim:on", index=4, known_at=10)
    event = Event("gap", 5, 10, {"n_samples": 3})
    recorder.clock_offset("markers", 100.0, -0.25)
    recorder.marker(marker, 4.004)
    recorder.event(event)
    recorder.text('{"text":"a"}')
    recorder.close()
    recorder.close()
    streams = read(path)
    np.testing.assert_array_equal(
        streams["cap"]["time_series"], np.arange(20, dtype=np.int16).reshape(10, 2)
    )
    np.testing.assert_array_equal(streams["cap"]["time_stamps"], np.arange(10.0))
    assert streams["marks"]["time_series"] == [["stim:on"]]
    assert list(streams["marks"]["time_stamps"]) == [4.004]
    assert streams["marks"]["clock_times"] == [100.25]
    assert streams["marks"]["clock_values"] == [-0.25]
    entries = [json.loads(row[0]) for row in streams[INPUTS_STREAM]["time_series"]]
    assert Marker(**entries[0]["marker"]) == marker
    assert Event(**entries[1]["event"]) == event
    assert streams["cap-text"]["time_series"] == [['{"text":"a"}']]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_slow_disk_never_blocks_and_each_drop_is_counted_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, entered, write = threading.Event(), threading.Event(), XdfWriter.write_samples

    def slow(self: XdfWriter, *args: Any) -> None:
        entered.set()
        gate.wait()
        write(self, *args)

    monkeypatch.setattr(XdfWriter, "write_samples", slow)
    events: list[Event] = []
    recorder = Recorder(tmp_path / "a.xdf", RAW, on_event=events.append, queue_size=4)
    block = np.zeros((5, 2), np.int16)
    recorder.samples(block, np.zeros(5))
    assert entered.wait(10)
    for k in range(1, 8):
        recorder.samples(block, np.full(5, float(k)))
    assert recorder.n_samples_dropped == 15  # one being written, four waiting, three lost
    assert [event.sample for event in events] == [25, 30, 35]
    assert {event.kind for event in events} == {"recorder_dropped"}
    gate.set()
    recorder.close()
    streams = read(tmp_path / "a.xdf")
    assert len(streams["cap"]["time_stamps"]) == 25
    entries = [json.loads(row[0]) for row in streams[INPUTS_STREAM]["time_series"]]
    assert entries == [{"dropped": {"first": 25, "n_samples": 15}}]


def test_a_failing_disk_ends_the_recording_with_one_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> None:
        raise RecordingError("a.xdf: cannot be written: No space left on device")

    told = threading.Event()
    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)
        told.set()

    monkeypatch.setattr(XdfWriter, "write_samples", fail)
    recorder = Recorder(tmp_path / "a.xdf", RAW, on_event=hear)
    for _ in range(50):
        recorder.samples(np.zeros((5, 2), np.int16), np.zeros(5))
    assert told.wait(10)
    recorder.samples(np.zeros((5, 2), np.int16), np.zeros(5))
    recorder.close()
    assert [event.kind for event in events] == ["recording_failed"]
    assert "No space left" in str(events[0].figures["reason"])
    assert recorder.failure is not None
