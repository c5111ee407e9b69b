from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runtime.simulation.synthesis import synthesise
from tools.cli import main
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["--steps", "3", "--batch", "2", "--set", "network.n_hidden=8"]


def train(*words: str) -> int:
    return main(["train", *words])


def record(path: Path, *texts: str, seed: int = 1) -> Path:
    write_xdf(path, synthesise(texts, seed=seed), name="r", rate_hz=250.0)
    return path


FEW = ("--set", "language_model.order=1")  # what is refused after it is made takes no time


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--simulate", "x.xdf"], 2, "either recordings or --simulate"),
        ([], 2, "either recordings or --simulate"),
        (["--simulate", "--steps", "0"], 2, "--steps"),
        (["--simulate", "--seed", "-1"], 2, "--seed"),
        (["--simulate", "--lm", "missing.arpa"], 2, "missing.arpa"),
        (["--simulate", "--recipe", "gru"], 2, "--recipe gru"),
        (["--simulate", "--set", "training.n_step=4"], 2, "training.n_step: no such key"),
        (["--simulate", "--set", "network.n_inputs=4"], 2, "network.n_inputs"),
        (["--simulate", "--set", "network.n_hiden=4"], 2, "network.n_hiden: no such key"),
        (["--simulate", *FEW, "--set", "learner.timing=4"], 2, "learner.timing: no such key"),
        (["--simulate", "--set", "decoder.bream=4"], 2, "decoder.bream: no such key"),
        (["--simulate", "--set", "signal.bands=[]"], 2, "signal"),
        (["--simulate", "--set", "training.patience=4"], 2, "validate_every"),
        (["--simulate", *FEW, "--set", "training.precision=16-mixed"], 2, "16-mixed"),
        (["--simulate", "--set", "n_steps"], 2, "KEY=VALUE"),
        (["--simulate", "--minutes", "nan"], 2, "--minutes"),
        (["--simulate", "--minutes", "1", "--steps", "3"], 2, "--minutes"),
        (["--simulate", "--curve", "1,-2"], 2, "--curve"),
        (["--simulate", "--devices", "0"], 2, "--devices"),
        (["--simulate", "--recipe", "eegnet-ssvep"], 2, "wanted recordings and --layout"),
        (["r.xdf", "--recipe", "eegnet-p300", "--layout", "l", "--minutes", "1"], 2, "--minutes"),
        (["--simulate", "--layout", "l.json"], 2, "writes text, wanted one for trials"),
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
    assert "no text to learn from" in capsys.readouterr().err


def test_a_recording_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("missing.xdf", "--out", str(tmp_path / "b"), *SMALL) == 65
    assert "missing.xdf" in capsys.readouterr().err


def test_does_not_replace_a_bundle_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.eegb").write_bytes(b"precious")
    assert train("--simulate", "--out", str(tmp_path / "b.eegb")) == 2
    assert "exists" in capsys.readouterr().err
    assert (tmp_path / "b.eegb").read_bytes() == b"precious"
