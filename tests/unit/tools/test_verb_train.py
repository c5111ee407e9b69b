from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runtime.synthesis import synthesise
from tools.cli import main
from tools.verb_simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["--steps", "3", "--batch", "2", "--hidden", "8"]


def train(*words: str) -> int:
    return main(["train", *words])


def record(path: Path, *texts: str, seed: int = 1) -> Path:
    write_xdf(path, synthesise(texts, seed=seed), name="r", rate_hz=250.0)
    return path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--simulate", "x.xdf"], 2, "either recordings or --simulate"),
        ([], 2, "either recordings or --simulate"),
        (["--simulate", "--steps", "0"], 2, "--steps"),
        (["--simulate", "--seed", "-1"], 2, "--seed"),
        (["--simulate", "--lm", "missing.arpa"], 2, "missing.arpa"),
        (["missing.xdf"], 65, "missing.xdf"),
    ],
)
def test_wrong_usage_is_one_sentence(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*words, "--out", str(tmp_path / "never.eegb")) == code
    error = capsys.readouterr().err
    assert error.startswith("eegscribe: ")
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_recording_without_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(tmp_path / "rest.xdf")
    assert train(str(path), "--out", str(tmp_path / "b"), *SMALL) == 65
    assert "no text: markers" in capsys.readouterr().err


def test_does_not_replace_a_bundle_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.eegb").write_bytes(b"precious")
    assert train("--simulate", "--out", str(tmp_path / "b.eegb")) == 2
    assert "exists" in capsys.readouterr().err
    assert (tmp_path / "b.eegb").read_bytes() == b"precious"
