from __future__ import annotations

import sys

import pytest

from tools.console.command import command, running


def test_the_words_that_run_are_told_as_a_shell_takes_them() -> None:
    with running(["train", "a file.xdf"]):
        assert command() == "eegscribe train 'a file.xdf'"


def test_elsewhere_it_is_the_process_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cli.py", "prune", "b.eegb"])
    with pytest.raises(ValueError, match="of a verb"), running(["train"]):
        raise ValueError("of a verb")
    assert command() == "eegscribe prune b.eegb"


def test_a_name_that_is_no_utf8_can_be_kept_all_the_same() -> None:
    with running(["train", "f\udcfcr.xdf", "a\x1b.xdf"]):
        told = command()
    assert told.encode().decode() == "eegscribe train 'f\\udcfcr.xdf' 'a\\x1b.xdf'"
