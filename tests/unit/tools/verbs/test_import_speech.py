"""Foreign speech weights become a bundle that writes words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.bundle import load_bundle
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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_speech(tmp_path / "weights.safetensors", lexicon=tmp_path / "lexicon.txt")
    (tmp_path / "words.arpa").write_text(ARPA)
    return tmp_path


def test_weights_become_a_bundle_that_writes_words(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["weights.safetensors", "--day", "1", "--lexicon", "lexicon.txt"]
    arguments += ["--words", "words.arpa", "--out", "speech", "--json"]
    assert main(["import-speech", *arguments]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["day"], summary["days"]) == (1, 2)
    engine = open_engine(folder / "speech")
    assert engine.spec.channels == ("ch1", "ch2", "ch3", "ch4", "ch5", "ch6")
    assert engine.words is not None
    assert engine.words.lm is not None
    assert set(engine.bundle.manifest.provenance.data) == {
        "weights.safetensors", "lexicon.txt", "words.arpa",
    }  # fmt: skip
    assert unpack(load_bundle(folder / "speech")).settings.n_symbols == 41
    chain = engine.chain()
    features = np.random.default_rng(0).standard_normal((1500, 6)).astype(np.float32)
    outputs = [*chain.push(features), *chain.finish()]
    said = "".join(o.text for o in outputs if isinstance(o, Text) and o.kind == "final")
    assert set(said.split()) <= {"to", "two", "sea", "ay"}
    assert chain.counters["windows_decoded"] == 375


def test_a_fault_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = folder / "small.safetensors"
    write_speech(small, lexicon=folder / "lexicon.txt", n_symbols=7)
    torch.save({"out.weight": torch.zeros(1)}, folder / "pickle.pt")
    (folder / "wrong.txt").write_text("to\tT OO\n")
    (folder / "names.txt").write_text("a b c\n")
    for changes, code, says in (
        (["small.safetensors", "--lexicon", "lexicon.txt"], 2, "7 outputs, wanted 41"),
        (["pickle.pt", "--lexicon", "lexicon.txt"], 65, "a pickle is never read"),
        (["weights.safetensors", "--lexicon", "wrong.txt"], 65, "symbol 'OO' is not in"),
        (["weights.safetensors", "--lexicon", "missing.txt"], 65, "missing.txt: No such file"),
        (
            ["weights.safetensors", "--lexicon", "lexicon.txt", "--channels", "names.txt"],
            2,
            "6 inputs, wanted 3",
        ),
        (["weights.safetensors", "--lexicon", "lexicon.txt", "--day", "2"], 65, "day: got 2"),
    ):
        assert main(["import-speech", *changes, "--out", "speech"]) == code
        assert says in capsys.readouterr().err
        assert not (folder / "speech").exists()
