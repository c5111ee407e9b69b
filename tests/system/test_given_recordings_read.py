"""The given recordings come whole, each marker on its sample."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import RecordingError
from runtime.recordings.source import RecordingSource, read_recording
from tests.given import needs_data, recording
from tests.recording_files import read


@needs_data
def test_the_files_of_the_xdf_project_are_read_or_refused_in_one_sentence() -> None:
    minimal = read_recording(recording("minimal.xdf"))
    np.testing.assert_array_equal(minimal.values[:3, 0], [192, 12, 13])
    assert (minimal.rate_hz, minimal.labels) == (10.0, ("ch1", "ch2", "ch3"))
    _, markers, events = read(RecordingSource(recording("clock_resets.xdf")))
    jumps = [event for event in events if event.kind == "clock_jump"]
    assert [event.sample for event in jumps] == [12_876]
    assert len(markers) == 175
    indices = [marker.index for marker in markers]
    assert indices == sorted(indices)
    assert 0 <= indices[0] < indices[-1] <= 27_815
    with pytest.raises(RecordingError, match="no EEG stream of type EEG"):
        read_recording(recording("empty_streams.xdf"))


@needs_data
@pytest.mark.parametrize(
    ("name", "n_samples", "n_markers"),
    [
        ("ssvep32_run1.xdf", 23_040, 256),
        ("p300_s1.xdf", 60_871, 1215),
        ("labrecorder_openbci.xdf", 49_650, 48),
        ("motor_imagery_run1_raw.fif", 138_752, 80),
    ],
)
def test_given_recordings_come_whole_and_without_gaps(
    name: str, n_samples: int, n_markers: int
) -> None:
    samples, markers, events = read(RecordingSource(recording(name)))
    assert (len(samples), len(markers)) == (n_samples, n_markers)
    assert [event.kind for event in events if event.kind != "unit_assumed"] == []
    assert 1 < np.median(np.abs(samples - np.median(samples, axis=0))) < 1e5


@needs_data
def test_exact_stamps_place_markers_on_their_very_sample() -> None:
    raw = read_recording(recording("p300_s1.xdf"))
    assert raw.stamps is not None
    _, markers, _ = read(RecordingSource(recording("p300_s1.xdf")))
    wanted = [int(np.abs(raw.stamps - at_s).argmin()) for _, at_s in raw.markers]
    assert [marker.index for marker in markers] == wanted
