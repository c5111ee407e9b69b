from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import UsageError
from runtime.whole_file import partial_name
from tools.evaluation.report import folder as report_folder
from tools.evaluation.report.folder import EVALUATION, ROWS, SWEEP, check_folder, whole_folder

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, text: str) -> None:
    with whole_folder(path) as folder:
        (folder / EVALUATION).write_text(text)
        (folder / ROWS).write_text(text)


def read(path: Path) -> set[str]:
    assert {entry.name for entry in path.iterdir()} == {EVALUATION, ROWS}
    return {entry.read_text() for entry in path.iterdir()}


def test_a_report_replaces_another_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report"
    write(out, "old")
    write(out, "new")
    assert read(out) == {"new"}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(entry.stat().st_mode) for entry in out.iterdir()} == {0o600}
    assert [entry.name for entry in out.parent.iterdir()] == ["report"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_run_that_fails_leaves_the_old_report(tmp_path: Path, error: type[BaseException]) -> None:
    write(tmp_path / "report", "old")
    with pytest.raises(error), whole_folder(tmp_path / "report") as folder:
        (folder / EVALUATION).write_text("new")
        raise error
    assert read(tmp_path / "report") == {"old"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["report"]


def test_where_folders_cannot_change_places_at_once_they_do_so_in_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_folder.ctypes, "CDLL", lambda *_args, **_options: object())
    write(tmp_path / "report", "old")
    write(tmp_path / "report", "new")
    assert read(tmp_path / "report") == {"new"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["report"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    write(tmp_path / "there", "old")
    (tmp_path / "report").symlink_to(tmp_path / "there")
    write(tmp_path / "report", "new")
    assert (tmp_path / "report").is_symlink()
    assert read(tmp_path / "there") == {"new"}


def test_what_a_killed_run_left_is_cleared_and_what_a_living_one_has_is_not(
    tmp_path: Path,
) -> None:
    dead, living = tmp_path / ".report.999999999.partial", tmp_path / ".report.1.partial"
    for left in (dead, living):
        left.mkdir()
        (left / ROWS).write_text("text of somebody")
    write(tmp_path / "report", "new")
    assert not dead.exists()
    assert living.exists()


def test_a_file_that_was_never_whole_is_no_stranger_and_goes_with_the_old_report(
    tmp_path: Path,
) -> None:
    out = tmp_path / "report"
    write(out, "old")
    (out / partial_name(SWEEP)).write_text("half")
    check_folder(out)
    write(out, "new")
    assert read(out) == {"new"}


def test_places_where_no_report_can_go(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file, wanted a folder"):
        check_folder(tmp_path / "file")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    with pytest.raises(UsageError, match=r"holds 'mine\.txt', which is of no report"):
        check_folder(tmp_path / "notes")
    with pytest.raises(UsageError, match="cannot be written"):
        check_folder(tmp_path / "file" / "below")
    write(tmp_path / "report", "old")
    for fine in (tmp_path / "report", tmp_path / "new" / "report"):
        check_folder(fine)
    assert read(tmp_path / "report") == {"old"}
