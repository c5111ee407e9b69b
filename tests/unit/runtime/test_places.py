from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from runtime.places import cache_folder, make_private_folder, runtime_folder, state_folder

VARIABLES = (
    *("STATE_DIRECTORY", "CACHE_DIRECTORY", "RUNTIME_DIRECTORY"),
    *("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"),
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ann")


def test_without_systemd_xdg_says_where() -> None:
    assert state_folder() == Path("/home/ann/.local/state/eegscribe")
    assert cache_folder() == Path("/home/ann/.cache/eegscribe")
    assert runtime_folder().name.startswith("eegscribe-")


def test_a_relative_xdg_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert state_folder() == Path("/home/ann/.local/state/eegscribe")
    monkeypatch.setenv("XDG_STATE_HOME", "/data")
    assert state_folder() == Path("/data/eegscribe")


def test_systemd_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/5")
    assert runtime_folder() == Path("/run/user/5/eegscribe")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/eegscribe/a:/run/other")
    assert runtime_folder() == Path("/run/eegscribe/a")


def test_new_folders_are_private_and_old_ones_keep_their_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    make_private_folder(shared / "a" / "b")
    assert (shared.stat().st_mode & 0o777) == 0o755
    assert ((shared / "a").stat().st_mode & 0o777) == 0o700
    assert ((shared / "a" / "b").stat().st_mode & 0o777) == 0o700


def test_a_folder_another_user_made_where_all_may_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    make_private_folder(runtime_folder())
    make_private_folder(runtime_folder())
    assert runtime_folder().parent == tmp_path
    us = os.getuid()
    (tmp_path / f"eegscribe-{us + 1}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: us + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        make_private_folder(runtime_folder())
