"""``eegscribe train`` of a speech network in phonemes: a bundle that writes words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.bundle import load_bundle
from runtime.engine import open_engine
from runtime.simulation.synthesis import synthesise
from tools.cli import main
from tools.language.pronunciation import VOCABULARY
from tools.training.transcribe import finals, transcript_of
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

SMALL = [
    "--steps",
    "2",
    "--batch",
    "2",
    "--set",
    "network.n_hidden=8",
    "--set",
    "network.n_layers=2",
]
SPEECH = ["--recipe", "speech-gru", "--set", "data.held_out=0"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, texts in enumerate((["to sea"], ["sea to", "xyzzy"])):
        session = synthesise(texts, seed=seed)
        write_xdf(tmp_path / f"{seed}.xdf", session, name="r", rate_hz=250.0)
    (tmp_path / "lexicon.txt").write_text("to\tT UW\nsea\tS IY\nsea\tS EH\n")
    (tmp_path / "words.arpa").write_text(
        "\\data\\\nngram 1=3\n\\1-grams:\n-0.3\tto\n-0.5\tsea\n-0.6\t</s>\n\\end\\\n"
    )
    return tmp_path


def test_texts_are_learned_in_phonemes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--set", f"data.lexicon={folder}/lexicon.txt", "--set", "decoder.method=lexicon"]
    data, out = [str(folder / f"{k}.xdf") for k in range(2)], folder / "speech"
    lm = ["--lm", str(folder / "words.arpa")]
    assert main(["train", *data, *SPEECH, *SMALL, *words, *lm, "--out", str(out)]) == 0
    bundle = load_bundle(out)
    assert bundle.manifest.pipeline.vocabulary == VOCABULARY
    assert {"lexicon.txt", "words.arpa"} <= bundle.files.keys()
    assert "lexicon.txt" in bundle.manifest.provenance.data
    assert bundle.manifest.network is not None
    assert bundle.manifest.network.family == "speech-gru"
    engine = open_engine(out)
    assert engine.words is not None
    assert engine.words.lm is not None
    said = transcript_of(finals(engine, synthesise("to", seed=9).samples))
    assert set(said.split()) <= {"to", "sea"}
    told = capsys.readouterr()
    assert "1 texts without pronunciation of xyzzy" in told.out + told.err


def test_a_lexicon_and_its_decoder_come_together(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = f"data.lexicon={folder}/lexicon.txt"
    for change in (given, "decoder.method=lexicon"):
        words = ["train", str(folder / "0.xdf"), *SPEECH, *SMALL, "--set", change]
        assert main([*words, "--out", str(folder / "speech")]) == 2
        assert "wanted one if, and only if, decoder.method is lexicon" in capsys.readouterr().err
