"""Foreign speech weights become a bundle that writes words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.foreign_models import write_speech
from tools.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_speech(tmp_path / "weights.safetensors", lexicon=tmp_path / "lexicon.txt")
    return tmp_path


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
