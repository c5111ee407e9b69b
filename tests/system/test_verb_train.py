"""``eegscribe train`` from recordings to a bundle that opens and runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.bundle import load_bundle
from runtime.engine import open_engine
from runtime.synthesis import synthesise
from tools.cli import main
from tools.transcribe import finals, transcript_of
from tools.verb_simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["--steps", "3", "--batch", "2", "--hidden", "8"]


def train(*words: str) -> int:
    return main(["train", *words])


def record(path: Path, *texts: str, seed: int = 1) -> Path:
    write_xdf(path, synthesise(texts, seed=seed), name="r", rate_hz=250.0)
    return path


def test_recordings_become_a_bundle_that_opens_and_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = record(tmp_path / "1.xdf", "ab b"), record(tmp_path / "2.xdf", "ba", seed=2)
    out = tmp_path / "b.eegb"
    assert train(str(one), str(two), "--out", str(out), "--json", *SMALL) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["type"] == "summary"
    bundle = load_bundle(out)
    assert bundle.sha256 == lines[-1]["sha256"]
    assert bundle.manifest.pipeline.vocabulary == ("", " ", "a", "b")
    assert set(bundle.manifest.provenance.data) == {"1.xdf", "2.xdf"}
    assert not (tmp_path / "b.eegb.training").exists()
    session = synthesise("ab", seed=5)
    assert set(transcript_of(finals(open_engine(out), session.samples))) <= set(" ab")


def test_no_eeg_of_a_person_is_in_a_bundle(tmp_path: Path) -> None:
    golden = []
    for seed in (1, 2):
        path = record(tmp_path / f"{seed}.xdf", "ab", seed=seed)
        assert train(str(path), "--out", str(tmp_path / f"{seed}"), *SMALL) == 0
        with np.load(tmp_path / f"{seed}" / "golden.npz") as arrays:
            golden.append(arrays["windows"])
    np.testing.assert_array_equal(golden[0], golden[1])


def test_every_tenth_span_is_held_out_and_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(tmp_path / "long.xdf", *["ab"] * 9, "ba")
    out = tmp_path / "b"
    assert train(str(path), "--out", str(out), "--json", *SMALL) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    bundle = load_bundle(out)
    assert bundle.sha256 == summary["sha256"]
    scores = bundle.manifest.evaluation.scores
    assert scores["decoder"]["texts"] == scores["greedy"]["texts"] == 1
    assert scores["decoder"]["characters"] == 2
    assert scores == summary["scores"]
