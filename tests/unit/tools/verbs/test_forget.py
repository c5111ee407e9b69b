from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from runtime.journal import Journal
from runtime.journal_store import Entry, Store
from tools.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    store = Store(tmp_path / "state" / "j")
    with store.transaction():
        for session in ("one", "two"):
            for seq in range(3):
                store.insert(Entry("s", session, seq, b"{}"), made_ns=seq)
    store.close()
    (tmp_path / "rec").mkdir()
    for name in ("s-one.xdf", "a.b-one.xdf.part", "s-two.xdf", "s-oneone.xdf", "one.xdf"):
        (tmp_path / "rec" / name).touch()
    (tmp_path / "rec" / "link-one.xdf").symlink_to(tmp_path / "rec" / "s-two.xdf")
    path = tmp_path / "eegscribe.toml"
    path.write_text(
        '[stream]\nname = "s"\nbundle = "b"\n[journal]\npath = "state/j"\n'
        '[record]\ndirectory = "rec"\n'
    )
    return path


def left(config: Path) -> tuple[list[str], list[str]]:
    store = Store(config.parent / "state" / "j")
    sessions = [stored.session for stored in store.sessions()]
    store.close()
    return sessions, sorted(path.name for path in (config.parent / "rec").iterdir())


def test_a_session_is_erased_and_only_that(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", "--session", "one", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "type": "summary",
        "session": "one",
        "finals": 3,
        "recordings": ["a.b-one.xdf.part", "s-one.xdf"],
    }
    assert left(config) == (
        ["two"],
        ["link-one.xdf", "one.xdf", "s-oneone.xdf", "s-two.xdf"],
    )


def test_an_unknown_session_is_told_with_those_there_are(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", "--session", "three", "--config", str(config)]) == 2
    assert "got 'three', wanted one of" in capsys.readouterr().err
    assert main(["forget", "--session", "", "--config", str(config)]) == 2
    assert left(config)[0] == ["one", "two"]


def test_it_works_while_a_daemon_holds_the_journal(config: Path) -> None:
    journal = Journal(config.parent / "state" / "j", sync="full", keep_days=36_500)
    journal.start()
    assert main(["forget", "--session", "two", "--config", str(config)]) == 0
    assert [entry.session for entry in journal.sessions().result(5)] == ["one"]
    journal.close()


def test_without_a_configuration_the_default_journal_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "none"))
    assert main(["forget", "--session", "one"]) == 2
    assert str(tmp_path / "none" / "journal.sqlite") in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
