from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from runtime.whole_file import partial_name, write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_takes_the_place_of_another_and_of_one_that_was_never_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    (tmp_path / partial_name("a.csv")).write_text("half of a longer one")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"text", is_private=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_what_cannot_take_its_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "a", b"text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
