"""Damage at random, and files whose readers run in a process of their own."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import RecordingError
from runtime.recordings import mne_files
from runtime.recordings.source import read_recording
from tests.crashing import crash
from tests.mne_files import check_whole, cut_is_refused, damage, write_eeglab
from tests.recording_files import eeg, refused_or_read, write


def test_random_damage_never_escapes_and_never_takes_long(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    path = write(tmp_path / "a.xdf", values=eeg(64))
    whole = path.read_bytes()
    began_s = time.monotonic()
    n_refused = 0
    for _ in range(1500):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 6)):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged)
        n_refused += refused_or_read(path)
    assert n_refused > 300
    assert time.monotonic() - began_s < 60


def test_eeglab_files_are_read_damaged_and_cut_off_in_a_process_of_their_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.set"
    write_eeglab(path)
    check_whole(path)
    damage(path, path, n_times=4)
    for share in (0.3, 0.6, 0.9, 0.99):
        write_eeglab(path)
        assert cut_is_refused(path, share)


def test_a_file_that_crashes_its_reader_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_eeglab(tmp_path / "a.set")
    monkeypatch.setattr(mne_files, "_read", crash)
    with pytest.raises(RecordingError, match="its reader crashed"):
        read_recording(tmp_path / "a.set")
