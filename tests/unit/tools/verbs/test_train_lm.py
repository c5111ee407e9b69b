"""``train-lm`` from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.language_model import LanguageModel
from pipeline.word_language_model import WordLanguageModel
from tools.cli import main

if TYPE_CHECKING:
    from pathlib import Path

PHRASES = [f"{who} {what}" for who in ("i", "you", "they") for what in ("run", "rest", "read.")]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(PHRASES * 2), encoding="utf-8")
    return path


def test_a_model_is_written_and_measured(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lm.arpa"
    assert main(["train-lm", str(corpus), "--out", str(out), "--order", "3", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["type"] == "summary"
    assert summary["order"] == 3
    assert summary["phrases"] == 18
    assert summary["held_out_phrases"] == 1
    assert 0.3 < summary["bits_per_character"] < 3
    assert summary["perplexity"] == pytest.approx(2 ** summary["bits_per_character"])
    assert summary["bytes"] == out.stat().st_size
    text = out.read_text(encoding="utf-8")
    lm = LanguageModel.from_arpa(text.splitlines(), vocabulary=("", "r", "q"))
    assert lm.scores(lm.start)[1] < 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["corpus.txt", "lm.arpa"]


def test_a_held_out_file_is_measured_on_and_not_learned_from(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unseen = tmp_path / "unseen.txt"
    unseen.write_text("zzz\n", encoding="utf-8")
    out = tmp_path / "lm.arpa"
    assert main(["train-lm", str(corpus), "--held-out", str(unseen), "--out", str(out)]) == 0
    assert "perplexity" in capsys.readouterr().out
    assert "z" not in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["missing.txt", "--out", "lm.arpa"], 65, "missing.txt: No such file or directory"),
        (["latin.txt", "--out", "lm.arpa"], 65, "latin.txt: byte 3 is not UTF-8 text"),
        (["empty.txt", "--out", "lm.arpa"], 65, "empty.txt: no phrases, expected one a line"),
        (["short.txt", "--out", "lm.arpa"], 65, "short.txt: 1 phrases, expected at least 10"),
        (["corpus.txt", "--out", "no/lm.arpa"], 2, "--out no/lm.arpa: No such file or directory"),
        (["corpus.txt", "--out", "lm.arpa", "--order", "0"], 2, "--order: got 0, wanted 1 to 32"),
        (["corpus.txt", "--out", "lm.arpa", "--prune", "-1"], 2, "--prune: got -1.0, wanted nats"),
    ],
)
def test_a_fault_is_one_sentence(
    corpus: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    folder = corpus.parent
    (folder / "latin.txt").write_bytes(b"caf\xe9\n")
    (folder / "empty.txt").write_bytes(b"\n \n")
    (folder / "short.txt").write_bytes(b"one\n")
    monkeypatch.chdir(folder)
    assert main(["train-lm", *arguments]) == code
    error = capsys.readouterr().err
    assert error.startswith("eegscribe: ")
    assert says in error
    assert error.count("\n") == 1
    assert not (folder / "lm.arpa").exists()


def test_a_model_of_words_is_written_and_measured(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("you\tY UW\nyou\tY AH\ni\tAY\nrun\tR AH N\nxylophone\tZ AY\n")
    out = tmp_path / "words.arpa"
    arguments = ["--unit", "word", "--vocabulary", str(lexicon), "--out", str(out), "--json"]
    assert main(["train-lm", str(corpus), *arguments]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["order"] == 3
    assert summary["words"] == 36
    assert summary["held_out_words"] == 2
    assert summary["perplexity"] == pytest.approx(2 ** summary["bits_per_word"])
    lm = WordLanguageModel.from_arpa(
        out.read_text().splitlines(), words=("run", "read", "xylophone", "you")
    )
    after_you, _ = lm.scores(np.array([lm.start] * 4), np.arange(4))
    assert np.all(after_you < 0)
    assert lm.unigrams[0] > lm.unigrams[2]  # said, and only listed
    tokens = {line.split()[1] for line in out.read_text().splitlines() if line[:1] == "-"}
    assert tokens == {"<s>", "</s>", "<unk>", "you", "i", "run", "xylophone"}
    p = np.exp(lm.scores(np.zeros(3, np.int64), np.array([0, 2, 3]))[0])
    assert 0.1 < p.sum() < 1.0


def test_a_list_of_words_is_for_words(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "lm.arpa")
    assert main(["train-lm", str(corpus), "--vocabulary", str(corpus), "--out", out]) == 2
    assert "--vocabulary: a list of words is for --unit word" in capsys.readouterr().err
