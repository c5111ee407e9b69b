"""An array is a recording where a sidecar says what it holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import RecordingError
from pipeline.values import Marker
from runtime.recordings.source import RecordingSource, read_recording
from tests.recording_files import LABELS, RATE_HZ, eeg, read

SIDECAR = {"rate_hz": RATE_HZ, "channels": LABELS, "unit": "mV"}


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_arrays_come_with_a_sidecar(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, eeg())
    else:
        np.savetxt(path, eeg(), delimiter=",")
    markers = [{"sample": 250, "text": "stim:on"}]
    path.with_suffix(".json").write_text(json.dumps({**SIDECAR, "markers": markers}))
    samples, placed, _ = read(RecordingSource(path))
    np.testing.assert_allclose(samples, eeg() * 1e3, rtol=1e-6)
    assert placed == [Marker("stim:on", 250, 250)]


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        (None, "wanted a sidecar"),
        ("{", "a.json"),
        ({**SIDECAR, "colour": 1}, "colour"),
        ({**SIDECAR, "rate_hz": 0}, "rate 0"),
        ({**SIDECAR, "rate_hz": "fast"}, "rate_hz"),
        ({**SIDECAR, "channels": ["A"]}, "1 channel names for 3 channels"),
    ],
)
def test_a_bad_sidecar_is_refused(tmp_path: Path, sidecar: object, said: str) -> None:
    np.save(tmp_path / "a.npy", eeg())
    if sidecar is not None:
        text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(RecordingError, match=said):
        read_recording(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "values",
    [np.zeros(9), np.zeros((0, 3)), np.array([[{}]], dtype=object), np.zeros((9, 3), complex)],
)
def test_a_bad_array_is_refused(tmp_path: Path, values: NDArray[np.generic]) -> None:
    np.save(tmp_path / "a.npy", values)
    (tmp_path / "a.json").write_text(json.dumps(SIDECAR))
    with pytest.raises(RecordingError):
        read_recording(tmp_path / "a.npy")


def test_an_archive_that_calls_itself_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", eeg())
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    (tmp_path / "a.json").write_text(json.dumps(SIDECAR))
    with pytest.raises(RecordingError, match="not a readable array"):
        read_recording(tmp_path / "a.npy")
