"""The published speech network as a file and as a bundle: the same numbers, and words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.bundle import load_bundle
from models.export import check_parity, export_ctc
from models.families import build
from models.speech_gru import SpeechGru
from models.weights import unpack
from pipeline.values import Text
from runtime.engine import open_engine
from tests.foreign_models import write_speech
from tools.cli import main

ARPA = """\\data\\
ngram 1=4
\\1-grams:
-0.5\tto
-1.5\ttwo
-0.7\tsea
-1\t</s>
\\end\\
"""


def test_the_export_computes_the_same_and_holds_one_day() -> None:
    shape = {"n_inputs": 40, "n_symbols": 5, "n_hidden": 8, "n_layers": 2, "n_days": 60, "day": 7}
    network = build("speech-gru", shape, seed=1)
    assert isinstance(network, SpeechGru)
    with torch.no_grad():
        network.day_weights[7] += 0.1
    exported = export_ctc(network, n_frames=2)
    assert check_parity(network, exported) < 1e-5
    assert exported.file.input.shape == (1, 8, 40)
    assert [pair.shape for pair in exported.file.state] == [(2, 1, 8), (1, 10, 40)]
    assert len(exported.data) < sum(4 * weight.numel() for weight in network.day_weights) / 2


def test_weights_become_a_bundle_that_writes_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_speech(Path("weights.safetensors"), lexicon=Path("lexicon.txt"))
    Path("words.arpa").write_text(ARPA)
    arguments = ["weights.safetensors", "--day", "1", "--lexicon", "lexicon.txt"]
    arguments += ["--words", "words.arpa", "--out", "speech", "--json"]
    assert main(["import-speech", *arguments]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["day"], summary["days"]) == (1, 2)
    engine = open_engine(Path("speech"))
    assert engine.spec.channels == ("ch1", "ch2", "ch3", "ch4", "ch5", "ch6")
    assert engine.words is not None
    assert engine.words.lm is not None
    assert set(engine.bundle.manifest.provenance.data) == {
        "weights.safetensors", "lexicon.txt", "words.arpa",
    }  # fmt: skip
    assert unpack(load_bundle(Path("speech"))).settings.n_symbols == 41
    chain = engine.chain()
    features = np.random.default_rng(0).standard_normal((1500, 6)).astype(np.float32)
    outputs = [*chain.push(features), *chain.finish()]
    said = "".join(o.text for o in outputs if isinstance(o, Text) and o.kind == "final")
    assert set(said.split()) <= {"to", "two", "sea", "ay"}
    assert chain.counters["windows_decoded"] == 375
