"""What MNE reads is read whole, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mne_files import MNE_FILES, check_whole, cut_is_refused, damage, write_fif
from tests.recording_files import refused_or_read


@pytest.mark.parametrize(("name", "make"), MNE_FILES)
def test_what_mne_reads_comes_in_microvolts_with_annotations_as_markers(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    check_whole(tmp_path / name)


@pytest.mark.parametrize(("name", "make"), MNE_FILES)
def test_damaged_files_that_mne_would_read_never_escape(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    path = tmp_path / name
    make(path)
    damage(path, path, n_times=60)
    if name.endswith(".vhdr"):
        damage(path.with_suffix(".vmrk"), path, n_times=60)


@pytest.mark.parametrize(("name", "make"), [entry for entry in MNE_FILES if entry[0] != "a.vhdr"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_cut_off_file_that_mne_would_read_is_refused(
    tmp_path: Path, name: str, make: Callable[[Path], None], share: float
) -> None:
    make(tmp_path / name)
    assert cut_is_refused(tmp_path / name, share)


def test_fif_tags_that_go_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a_raw.fif"
    write_fif(path)
    data = bytearray(path.read_bytes())
    second = 16 + int.from_bytes(data[8:12], "big")
    data[second + 12 : second + 16] = (16).to_bytes(4, "big")  # its successor is the first's data
    data[28:32] = (second).to_bytes(4, "big")
    path.write_bytes(data)
    assert refused_or_read(path)
