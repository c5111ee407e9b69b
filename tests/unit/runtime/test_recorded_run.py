"""A recording of our own says how the daemon was configured, and what its chain never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.values import Event
from runtime.recordings.raw import RecordedRun
from runtime.recordings.recorder import Recorder
from runtime.recordings.source import RecordingSource
from runtime.source import RawStream, drain

RAW = RawStream("cap", "cap-1", 100.0, "float32", ("C3", "Pz"), "microvolts")
RUN = RecordedRun(
    stream="bench1",
    pause_marker="rest",
    resume_marker="go",
    channels={"Cz": "C3"},
    every_decode=True,
)


def record(path: Path, *events: Event) -> Path:
    recorder = Recorder(path, RAW)
    recorder.run(RUN)
    samples = np.ones((60, 2), dtype=np.float32)
    recorder.samples(samples, 5.0 + np.arange(60) / 100)
    for event in events:
        recorder.event(event)
    recorder.close()
    return path


def test_the_configuration_comes_back_and_renames_the_channels(tmp_path: Path) -> None:
    source = RecordingSource(record(tmp_path / "a.xdf"), channels=("Cz", "Pz"))
    assert source.open(None).channels == ("Cz", "Pz")
    assert source.run == RUN
    assert [event for batch in drain(source) for event in batch.events] == []


def test_samples_the_decoder_was_too_slow_for_are_not_heard_in_a_replay_either(
    tmp_path: Path,
) -> None:
    overrun = Event("overrun", 20, 20, {"n_samples": 15})
    for chunk_samples in (7, 60):
        path = record(tmp_path / f"{chunk_samples}.xdf", overrun)
        source = RecordingSource(path, chunk_samples=chunk_samples)
        source.open(None)
        samples = np.concatenate([batch.samples.copy() for batch in drain(source)])
        assert np.isnan(samples[20:35]).all()
        assert np.isfinite(samples[:20]).all()
        assert np.isfinite(samples[35:]).all()
