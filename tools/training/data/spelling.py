"""Texts as the symbols that are learned: phonemes of a lexicon, a boundary after every word."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pipeline.errors import RecordingError
from pipeline.lexicon import read_lexicon
from tools.language.pronunciation import PHONEMES, SILENCE
from tools.language.words import split_words

if TYPE_CHECKING:
    from pathlib import Path


class Spelling:
    """How a lexicon spells texts; a word is learned in its first pronunciation.

    ``symbols`` are the outputs but the blank: those of published speech networks where they
    suffice, else those that the lexicon uses; then the boundary. ``data`` is the lexicon's file.
    """

    def __init__(self, path: Path) -> None:
        """Read a lexicon.

        Raises:
            RecordingError: it cannot be read.
            BundleError: it is no lexicon; names the line.
        """
        self._name = path.name
        try:
            self.data = path.read_bytes()
            lines = self.data.decode("utf-8").splitlines()
        except OSError as error:
            raise RecordingError(f"{path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise RecordingError(f"{path}: byte {error.start} is not UTF-8 text") from None
        spelled = [line.partition("\t")[::2] for line in lines if line]
        used = {symbol for _, symbols in spelled for symbol in symbols.split()} - {SILENCE}
        known = PHONEMES if used <= set(PHONEMES) else tuple(sorted(used))
        self.symbols = (*known, SILENCE)
        read_lexicon(lines, vocabulary=("", *self.symbols), where=path.name)
        self._said: dict[str, tuple[str, ...]] = {}
        for word, symbols in spelled:
            self._said.setdefault(word.lower(), tuple(symbols.split()))

    def digest(self) -> dict[str, str]:
        """Return name and SHA-256 of the lexicon."""
        return {self._name: hashlib.sha256(self.data).hexdigest()}

    def missing(self, text: str) -> list[str]:
        """Return the words of a text that have no pronunciation."""
        return [word for word in split_words(text.lower()) if word not in self._said]

    def of(self, text: str) -> tuple[str, ...]:
        """Return the symbols of a text of which no word is missing."""
        words = split_words(text.lower())
        return tuple(symbol for word in words for symbol in (*self._said[word], SILENCE))
