from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest

from runtime.paradigm import CHANNELS
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tools.cli import main

if TYPE_CHECKING:
    from pathlib import Path


def simulate(*words: str) -> int:
    return main(["simulate", *words])


def test_writes_what_was_synthesised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyxdf

    path = tmp_path / "typed.xdf"
    words = ["--text", "Ab", "--text", "c?", "--seed", "5", "--snr-db", "0", "--name", "x"]
    assert simulate(*words, "--out", str(path), "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    session = synthesise(["ab", "c?"], seed=5, settings=SynthesisSettings(snr_db=0.0))
    assert summary["samples"] == len(session.samples)
    assert summary["seed"] == 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        streams = {s["info"]["type"][0]: s for s in pyxdf.load_xdf(str(path))[0]}
    eeg, markers = streams["EEG"], streams["Markers"]
    np.testing.assert_array_equal(eeg["time_series"], session.samples)
    labels = [c["label"][0] for c in eeg["info"]["desc"][0]["channels"][0]["channel"]]
    assert tuple(labels) == CHANNELS
    assert markers["info"]["name"] == ["x-markers"]
    assert [m[0] for m in markers["time_series"]] == ["text:ab", "text:end", "text:c?", "text:end"]
    places = np.round(np.array(markers["time_stamps"]) * 250.0).astype(int)
    assert places.tolist() == [index for index, _ in session.truth()]


def test_at_minus_infinity_the_text_leaves_no_trace(tmp_path: Path) -> None:
    from runtime.recordings.source import RecordingSource
    from tools.recordings.signal import read_signal
    from tools.training.data.labelled_text import find_spans

    found = []
    for text in ("ab", "yz"):
        path = tmp_path / f"{text}.xdf"
        assert simulate("--text", text, "--seed", "1", "--snr-db=-inf", "--out", str(path)) == 0
        found.append(read_signal(RecordingSource(path)))
    np.testing.assert_array_equal(found[0].samples, found[1].samples)
    assert [find_spans(r.markers).spans[0].text for r in found] == ["ab", "yz"]


def test_without_a_seed_every_session_is_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = []
    for name in ("a.xdf", "b.xdf"):
        assert simulate("--text", "a", "--out", str(tmp_path / name), "--json") == 0
        seeds.append(json.loads(capsys.readouterr().out)["seed"])
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--text", "a8"], 2, "'8'"),
        (["--text", ""], 2, "empty"),
        (["--text", "a", "--snr-db", "nan"], 2, "--snr-db"),
        (["--text", "a", "--seed", "-1"], 2, "--seed"),
        (["--text", "a", "--wait", "0"], 2, "--wait"),
    ],
)
def test_wrong_usage_is_one_sentence(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(*words, "--out", str(tmp_path / "never.xdf")) == code
    error = capsys.readouterr().err
    assert error.startswith("eegscribe: ")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "never.xdf").exists()


def test_does_not_replace_a_file_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "there.xdf"
    path.write_bytes(b"precious")
    assert simulate("--text", "a", "--out", str(path)) == 65
    assert path.read_bytes() == b"precious"
    assert str(path) in capsys.readouterr().err
    assert simulate("--text", "a", "--out", str(path), "--force") == 0
    assert path.read_bytes() != b"precious"
