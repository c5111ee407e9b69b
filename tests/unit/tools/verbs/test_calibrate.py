from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.bundle import load_bundle
from models.golden import check_golden
from models.onnx_backend import OnnxModel, open_session
from tests.ssvep_recordings import SYMBOLS, write_layout, write_session
from tools.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def calibrate(
    tmp_path: Path, *more: str, out: str = "ada.eegb", seeds: tuple[int, ...] = (1, 2)
) -> int:
    layout = write_layout(tmp_path / "keys.layout")
    paths = [str(write_session(tmp_path / f"{seed}.npy", seed=seed)) for seed in seeds]
    return main(
        [
            "calibrate",
            *paths,
            "--paradigm",
            "ssvep",
            "--layout",
            str(layout),
            "--out",
            str(tmp_path / out),
            *more,
        ]
    )


def test_a_trial_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(tmp_path, "--trials", "0-24") == 2
    assert capsys.readouterr().err == (
        "eegscribe: --trials: got 24, which 1.npy lacks: its trials are 0 to 23\n"
    )
    assert not (tmp_path / "ada.eegb").exists()


def test_the_bundle_is_whole_and_reads_a_later_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(tmp_path, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    summary = lines[-1]
    assert summary["type"] == "summary"
    assert summary["finding"] == "above chance"
    assert {line["type"] for line in lines} == {"fold", "length", "early", "summary"}

    bundle = load_bundle(tmp_path / "ada.eegb")
    assert bundle.sha256 == summary["sha256"]
    manifest = bundle.manifest
    check_golden(bundle, OnnxModel(open_session(bundle), manifest.model))
    assert manifest.pipeline.vocabulary == SYMBOLS
    assert manifest.evaluation.verdict == "not evaluated"
    assert manifest.evaluation.scores["accuracy"] == summary["accuracy"]
    assert manifest.confidence is not None
    assert manifest.confidence.n == 48
    assert set(manifest.provenance.data) == {"1.npy", "2.npy", "keys.layout"}
    assert str(tmp_path) not in manifest.provenance.command

    unseen = write_session(tmp_path / "later.npy", seed=9)
    assert main(["replay", str(unseen), "--bundle", str(tmp_path / "ada.eegb"), "--json"]) == 0
    replayed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert replayed["symbols"]["total"] == 24
    assert replayed["symbols"]["abstained"] == 0
    assert replayed["symbols"]["correct"] >= 21


def test_no_eeg_of_the_person_is_in_the_bundle(tmp_path: Path) -> None:
    assert calibrate(tmp_path, out="ada") == 0
    with np.load(tmp_path / "ada" / "golden.npz") as golden:
        windows = golden["windows"]
    sessions = np.concatenate([np.load(tmp_path / f"{seed}.npy") for seed in (1, 2)])
    moments = {row.tobytes() for row in sessions}  # all channels at one sample
    assert not any(row.tobytes() in moments for window in windows for row in window)


def test_the_same_command_makes_the_same_model(tmp_path: Path) -> None:
    models = []
    for out in ("one", "two"):
        assert calibrate(tmp_path, out=out) == 0
        models.append((tmp_path / out / "model.onnx").read_bytes())
    assert models[0] == models[1]


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--paradigm", "p300"), 2, "--paradigm p300: not built yet, wanted ssvep"),
        (("--max-s", "-1"), 2, "--max-s: got -1.0"),
        (("--max-s", "nan"), 2, "--max-s: got nan"),
        (("--max-s", "0.1"), 65, "wanted at least 0.2 s"),
        (("--seed", "-1"), 2, "--seed: got -1"),
        (("--trials", "x"), 2, "--trials x"),
        (("--trials", "500"), 2, "got 500, which 1.npy lacks"),
        (("--layout", "nowhere.json"), 65, "nowhere.json: cannot be read"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    assert calibrate(tmp_path, *more) == code
    told = capsys.readouterr().err
    assert told.startswith("eegscribe: ")
    assert told.count("\n") == 1
    assert said in told
    assert not (tmp_path / "ada.eegb").exists()


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["calibrate", "--help"])
    assert "example:" in capsys.readouterr().out
