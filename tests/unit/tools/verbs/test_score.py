from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.cli import main

WORDS = ("cat", "dog", "sun", "sea", "day", "man")


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    path = tmp_path / "outputs.jsonl"
    rows = [
        {"reference": f"one {word} {k}", "hypothesis": f"one {word} {k}"}
        for k, word in enumerate(WORDS * 2)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_a_report_is_written_where_asked_for(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    words = ["score", str(outputs), "--against", f"noise={outputs}", "--out", str(out), "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    kept = json.loads((out / "evaluation.json").read_text())
    assert kept["verdict"] == told["verdict"]
    assert kept["wer"] == told["wer"] == 0.0
    assert "outputs.jsonl" in kept["made_of"]["digests"]
    assert str(tmp_path) not in kept["made_of"]["command"]
    assert "noise=outputs.jsonl" in (out / "report.html").read_text()


def test_a_folder_of_something_else_is_left_alone(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    assert main(["score", str(outputs), "--out", str(tmp_path / "mine")]) == 2
    assert "thesis.tex" in capsys.readouterr().err
