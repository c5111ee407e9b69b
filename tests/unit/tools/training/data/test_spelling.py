"""Texts in phonemes: order of the outputs, words that cannot be said."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import BundleError, RecordingError
from tools.language.pronunciation import VOCABULARY
from tools.training.data.spelling import Spelling


def spelling(folder: Path, text: str) -> Spelling:
    path = folder / "lexicon.txt"
    path.write_text(text)
    return Spelling(path)


def test_a_text_is_its_first_pronunciations_with_a_boundary_after_each_word(tmp_path: Path) -> None:
    spelled = spelling(tmp_path, "read\tR IY D\nread\tR EH D\nto\tT UW\n")
    assert spelled.of("Read, to READ.") == (
        *("R", "IY", "D", "SIL", "T", "UW", "SIL"),
        *("R", "IY", "D", "SIL"),
    )
    assert spelled.of("") == ()
    assert ("", *spelled.symbols) == VOCABULARY
    assert spelled.missing("to read them, them!") == ["them", "them"]
    assert spelled.data.startswith(b"read")


def test_other_symbols_make_an_order_of_their_own(tmp_path: Path) -> None:
    assert spelling(tmp_path, "ab\tb a\n").symbols == ("a", "b", "SIL")


def test_faults_are_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="lexicon.txt, line 1: an empty symbol"):
        spelling(tmp_path, "ab\t\n")
    with pytest.raises(BundleError, match="stands between words"):
        spelling(tmp_path, "ab\ta SIL\n")
    with pytest.raises(RecordingError, match="No such file"):
        Spelling(tmp_path / "missing.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\ta")
    with pytest.raises(RecordingError, match="byte 3 is not UTF-8"):
        Spelling(tmp_path / "latin.txt")
