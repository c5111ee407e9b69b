"""Text as words, and words as single characters for what counts characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pipeline.errors import RecordingError
from pipeline.language_model import UNKNOWN
from tools.language.language_model import END, START, TOKENS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
"""Letters and digits, and apostrophes between them."""

FIRST, SURROGATES, N_SURROGATES = 0x100, 0xD800, 0x800


def split_words(phrase: str) -> list[str]:
    """Return the words of a clean phrase, without what stands between them."""
    return WORD.findall(phrase.replace("\u2019", "'"))


def read_vocabulary(path: Path) -> list[str]:
    """Return the words of a text file, one a line, each once; what follows a tab is left out.

    A lexicon is such a file.

    Raises:
        RecordingError: it cannot be read, is not UTF-8, or holds no word.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: byte {error.start} is not UTF-8 text") from None
    words = list(dict.fromkeys(line.partition("\t")[0].strip().lower() for line in lines))
    if not any(words):
        raise RecordingError(f"{path}: no words, expected one a line")
    return [word for word in words if word]


class WordCodes:
    """A character for every word, so that an n-gram of words is a string.

    With a vocabulary, a word outside it is the word ``<unk>``.
    """

    def __init__(self, vocabulary: Collection[str] | None = None) -> None:
        self._known = None if vocabulary is None else frozenset(vocabulary)
        self._codes: dict[str, str] = {}

    def encode(self, words: Iterable[str]) -> str:
        """Return one character a word."""
        return "".join(map(self._code, words))

    def names(self) -> dict[str, str]:
        """Return the token that each character stands for."""
        return {START: TOKENS[START], END: TOKENS[END]} | {
            code: word for word, code in self._codes.items()
        }

    def _code(self, word: str) -> str:
        if self._known is not None and word not in self._known:
            word = UNKNOWN
        code = self._codes.get(word)
        if code is None:
            number = FIRST + len(self._codes)
            code = chr(number + N_SURROGATES if number >= SURROGATES else number)
            self._codes[word] = code
        return code
