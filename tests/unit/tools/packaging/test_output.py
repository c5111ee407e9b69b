"""Where nothing can be written is told before anything long begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UsageError
from tools.packaging.output import check_out, check_writable


def test_a_new_place_is_fine_and_stays_as_it_was(tmp_path: Path) -> None:
    check_out(tmp_path / "new" / "b.eegb", parent=tmp_path / "a.eegb", is_forced=False)
    assert list(tmp_path.iterdir()) == []


def test_a_place_within_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"file cannot be written \(Not a directory\)"):
        check_writable(tmp_path / "file" / "b.eegb")


def test_what_is_no_disk_takes_nothing() -> None:
    with pytest.raises(UsageError, match=r"--out /proc/none/b.eegb: /proc cannot be written"):
        check_writable(Path("/proc/none/b.eegb"))


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    out = tmp_path / "b.eegb"
    out.mkdir()
    with pytest.raises(UsageError, match="is a folder, wanted a file"):
        check_out(out, parent=None, is_forced=True)
