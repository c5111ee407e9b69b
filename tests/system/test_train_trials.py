"""Trials from recording to bundle to text, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.bundle import load_bundle
from models.weights import unpack
from tests.ssvep_recordings import write_layout, write_session
from tests.unit.tools.training.p300_session import write_p300_layout, write_p300_session
from tools.cli import main
from tools.training.classifier.course import TrialCourse, train_trials
from tools.training.classifier.fit import shape_of
from tools.training.recipe import read_recipe

SMALL = {
    "training.n_steps": 3, "network.patch_s": 0.02, "network.pool_s": 0.06, "network.pool_again": 2,
    "network.n_temporal": 2, "network.n_pointwise": 4, "data.n_batch": 32, "signal.line_hz": 40.0,
}  # fmt: skip


def test_trials_are_read_by_the_bundle_that_was_trained_on_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = write_p300_session(tmp_path / "p.npy", text="ADBC")
    layout, out = write_p300_layout(tmp_path / "l.layout"), tmp_path / "b.eegb"
    words = ["--recipe", "eegnet-p300", "--layout", str(layout), "--out", str(out), "--json"]
    small = ["network.n_temporal=2", "network.pool_s=0.06", "network.patch_s=0.02"]
    for change in (*small, "signal.line_hz=40.0", "training.rate=1e-2"):
        words += ["--set", change]
    assert main(["train", str(session), *words, "--steps", "40"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["type"], summary["accuracy"]) == ("summary", 1.0)
    assert main(["replay", str(session), "--bundle", str(out), "--json"]) == 0
    replayed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert replayed["transcript"] == "ADBC"


def test_a_bundle_of_symbols_is_written_and_gives_its_network_back(tmp_path: Path) -> None:
    paths = tuple(write_session(tmp_path / f"{k}.npy", seed=k, n_repeats=2) for k in (1, 2))
    recipe = read_recipe("eegnet-ssvep", SMALL)
    course = TrialCourse(recipe, paths, write_layout(tmp_path / "keys.layout"), tmp_path / "b.eegb")
    figures = train_trials(course)
    assert len(figures["folds"]) == 2
    bundle = load_bundle(tmp_path / "b.eegb")
    manifest = bundle.manifest
    assert manifest.model.output.shape == (1, 1, 6)
    assert manifest.pipeline.window.checkpoints_samples == (250,)
    assert manifest.pipeline.window.offset_samples == 35
    assert manifest.confidence is not None
    assert manifest.evaluation.scores["n_trials"] == 24
    assert manifest.provenance.recipe["family"] == "eegnet"
    assert unpack(bundle).settings == shape_of(recipe, manifest.pipeline)
    assert not course.folder.exists()
