"""``eegscribe train`` from recordings to a bundle that opens and runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.bundle import load_bundle
from models.weights import unpack
from runtime.engine import open_engine
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tools.cli import main
from tools.recordings.digests import text_digest
from tools.training.transcribe import finals, transcript_of
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["--steps", "3", "--batch", "2", "--set", "network.n_hidden=8"]
ALL = ["--set", "data.held_out=0"]


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
    assert set(bundle.manifest.provenance.data) == {"1.xdf", "2.xdf", "simulated"}
    assert set(bundle.manifest.provenance.texts) <= {text_digest("ab b"), text_digest("ba")}
    assert bundle.manifest.provenance.texts
    assert not (tmp_path / "b.eegb.training").exists()
    assert bundle.manifest.provenance.recipe["network"]["n_hidden"] == 8
    assert unpack(bundle).settings.n_hidden == 8
    session = synthesise("ab", seed=5)
    assert set(transcript_of(finals(open_engine(out), session.samples))) <= set(" ab")


def test_no_eeg_of_a_person_is_in_a_bundle(tmp_path: Path) -> None:
    golden = []
    for seed in (1, 2):
        path = record(tmp_path / f"{seed}.xdf", "ab", seed=seed)
        assert train(str(path), "--out", str(tmp_path / f"{seed}"), *SMALL, *ALL) == 0
        with np.load(tmp_path / f"{seed}" / "golden.npz") as arrays:
            golden.append(arrays["windows"])
    np.testing.assert_array_equal(golden[0], golden[1])


def test_held_out_texts_are_scored_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = SynthesisSettings(between_s=8.0)
    path = tmp_path / "long.xdf"
    session = synthesise([*["ab"] * 9, "ba"], seed=1, settings=settings)
    write_xdf(path, session, name="r", rate_hz=250.0)
    out = tmp_path / "b"
    assert train(str(path), "--out", str(out), "--json", "--curve", "1e-6,99", *SMALL) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    bundle = load_bundle(out)
    assert bundle.sha256 == summary["sha256"]
    scores = bundle.manifest.evaluation.scores
    n_texts = scores["decoder"]["texts"]
    assert 0 < n_texts < 10
    assert scores["decoder"]["characters"] == 2 * n_texts
    assert scores == summary["scores"]
    report = json.loads((tmp_path / "b.report.json").read_bytes())
    assert report["sha256"] == bundle.sha256
    assert report["data"] == "simulated"
    assert report["readings"]["greedy"]["texts"] == report["control"]["texts"] == n_texts
    (point,) = report["curve"]
    assert sum(meant for meant, _, _ in point["symbols"].values()) > 0
    assert point["minutes"] == pytest.approx(0.0, abs=0.01)
    assert point["texts"] == n_texts
    assert report["silence"].keys() == {"idle: rest, trained on", "noise: white"}
    assert report["baseline"]["phrase"] in {"ab", "ba"}
    rows = (tmp_path / "b.metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2, 3]


def test_weights_are_left_out_where_the_recipe_says_so(tmp_path: Path) -> None:
    path, out = record(tmp_path / "1.xdf", "ab"), tmp_path / "b"
    words = [*SMALL, *ALL, "--set", "keep_weights=false"]
    assert train(str(path), "--out", str(out), *words) == 0
    assert load_bundle(out).manifest.network is None
    assert not (out / "weights.safetensors").exists()


def test_minutes_become_steps_once_and_for_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = record(tmp_path / "1.xdf", "ab"), tmp_path / "b"
    words = ["--minutes", "0.005", "--batch", "1", "--set", "network.n_hidden=8", *ALL]
    folder = tmp_path / "b.training"
    folder.mkdir()
    (folder / "plan.json").write_text('{"minutes": 0.005, "n_steps": 5}')
    assert train(str(path), "--out", str(out), "--json", *words) == 0
    steps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [step["step"] for step in steps[:-1]] == [1, 2, 3, 4, 5]
    assert train(str(path), "--out", str(out), "--force", "--json", *words) == 0
    assert load_bundle(out).manifest.provenance.recipe["training"]["n_steps"] >= 1
