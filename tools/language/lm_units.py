"""What a language model is made of, characters or words: how it is trained, named and measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.language_model import LanguageModel
from pipeline.word_language_model import WordLanguageModel
from tools.language.language_model import TOKENS, NgramModel, arpa_lines, train
from tools.language.words import WordCodes, read_vocabulary, split_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

NO_FLOOR = -1e6


class Characters:
    """Each character of a phrase is a token, spaces too."""

    def train(
        self, phrases: Sequence[str], *, order: int, prune: float, on_order: Callable[[int], None]
    ) -> NgramModel:
        """Return the model of the phrases."""
        return train(phrases, order=order, prune=prune, on_order=on_order)

    def names(self) -> Mapping[str, str]:
        """Return the tokens of characters that do not stand for themselves."""
        return TOKENS

    def count(self, phrase: str) -> int:
        """Return the units of a phrase."""
        return len(phrase)

    def nats(self, model: NgramModel, phrases: Sequence[str]) -> tuple[float, int]:
        """Return what the model as a daemon reads it pays for ``phrases``, and their units.

        The end of each counts too. An unknown character costs one of n equal tokens.
        """
        vocabulary = tuple(sorted(set("".join(phrases))))
        lm = LanguageModel.from_arpa(arpa_lines(model), vocabulary=vocabulary, floor=NO_FLOOR)
        indices = {symbol: k for k, symbol in enumerate(vocabulary)}
        total = 0.0
        for phrase in phrases:
            state = lm.start
            for symbol in phrase:
                total += float(lm.scores(state)[indices[symbol]])
                state = lm.advance(state, indices[symbol])
            total += lm.end(state)
        return -total, sum(map(len, phrases))


class Words:
    """Each word of a phrase is a token; what stands between them is not counted."""

    def __init__(self, vocabulary: Path | None = None) -> None:
        """Take a file of the words that may come, None for those of the phrases.

        Raises:
            RecordingError: it cannot be read.
        """
        self._listed = [] if vocabulary is None else read_vocabulary(vocabulary)
        self._codes = WordCodes(self._listed if vocabulary else None)

    def train(
        self, phrases: Sequence[str], *, order: int, prune: float, on_order: Callable[[int], None]
    ) -> NgramModel:
        """Return the model of the phrases."""
        coded = [self._codes.encode(split_words(phrase)) for phrase in phrases]
        unseen = self._codes.encode(self._listed)
        return train(coded, order=order, prune=prune, unseen=unseen, on_order=on_order)

    def names(self) -> Mapping[str, str]:
        """Return the word that each character stands for."""
        return self._codes.names()

    def count(self, phrase: str) -> int:
        """Return the units of a phrase."""
        return len(split_words(phrase))

    def nats(self, model: NgramModel, phrases: Sequence[str]) -> tuple[float, int]:
        """Return what the model as a daemon reads it pays for ``phrases``, and their units.

        The end of each counts too. A word it knows not costs ``<unk>``, or one of n equal tokens.
        """
        said = [split_words(phrase) for phrase in phrases]
        words = list({word: None for phrase in said for word in phrase})
        indices = {word: k for k, word in enumerate(words)}
        lines = arpa_lines(model, self.names())
        lm = WordLanguageModel.from_arpa(lines, words=words, floor=NO_FLOOR)
        total = 0.0
        for phrase in said:
            state = np.array([lm.start])
            for word in phrase:
                gain, state = lm.scores(state, np.array([indices[word]]))
                total += float(gain[0])
            total += float(lm.ends(state)[0])
        return -total, sum(map(len, said))
