"""Trials from recording to bundle to text, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.tools.training.p300_session import write_p300_layout, write_p300_session
from tools.cli import main


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
