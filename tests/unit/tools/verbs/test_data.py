"""``eegscribe data`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.text_recordings import write_array
from tools.cli import main

SPANS = [("ab", 1000, 1100), ("c", 1500, 1600), ("abc", 2000, 2300)]


@pytest.fixture
def recordings(tmp_path: Path) -> list[str]:
    return [str(write_array(tmp_path / f"{k}.npy", SPANS, seed=k)) for k in range(2)]


def test_tables_for_people(recordings: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *recordings]) == 0
    said = capsys.readouterr()
    assert "6 texts, 3 distinct" in said.out
    assert "held out" in said.out
    assert said.err == ""


def test_json_has_a_line_a_recording_and_a_summary(
    recordings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    who = ["--who", "0*=ada/1", "--who", "*=eve"]
    assert main(["data", *recordings, *who, "--split", "subject", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines] == ["recording", "recording", "summary"]
    assert lines[0]["texts"][0] == {"text": "ab", "start": 1000, "stop": 1100}
    assert [(line["subject"], line["session"]) for line in lines[:2]] == [
        ("ada", "1"),
        ("eve", "1"),
    ]
    assert [part["texts"] for part in lines[2]["split"].values()] == [3, 3]


def test_what_is_left_out_is_told_and_what_cannot_be_split(
    recordings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--vocabulary", "abx", "--split", "subject", "--max-errors", "9"]
    assert main(["data", *recordings, "missing.xdf", *given]) == 0
    said = capsys.readouterr()
    assert "no split by subject: 1 subject in the data" in said.out
    assert "5 left out" in said.err
    assert said.err.count("'c', wanted characters of the vocabulary") == 4
    assert "missing.xdf" in said.err


def test_too_many_errors_are_bad_data(
    recordings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", *recordings, "a.xdf", "b.xdf", "--max-errors", "2"]) == 65
    said = capsys.readouterr().err
    assert said.startswith("eegscribe: 2 errors in the data")
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--held-out", "2"], "--held-out: got 2.0, wanted 0 to 0.9"),
        (["--max-errors", "0"], "--max-errors: got 0"),
        (["--split-seed", "-1"], "--split-seed: got -1"),
        (["--who", "ada"], "--who ada: wanted FILE=SUBJECT"),
        (["--who", "x=/"], "--who x=/"),
    ],
)
def test_wrong_usage(
    recordings: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["data", *recordings, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_labelled_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    markers = [
        (text, 300 * k) for k in range(6) for text in ("trial:start", f"label:{'ab'[k % 2]}")
    ]
    path = str(write_array(tmp_path / "a.npy", [], markers=markers))
    assert main(["data", path, "--trials"]) == 0
    assert "6 labelled trials" in capsys.readouterr().out
    assert main(["data", path, "--trials", "--split", "session", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["trials"][1] == {"number": 1, "label": "b"}
    assert lines[1]["classes"]["a"]["count"] == 3
    assert "1 session in the data" in lines[1]["no_split"]
