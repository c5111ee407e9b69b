"""The sequences of words that live hypotheses have found, each under one small number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.word_language_model import WordLanguageModel


class WordHistories:
    """Numbers of word sequences; 0 is the empty one. Never forgets: begin a new one now and then.

    ``lm_score`` is ln P(words | committed text), ``state`` where the language model stands.
    """

    def __init__(self, state: int = 0) -> None:
        """Start with the empty sequence, after which the language model is in ``state``."""
        self.words: list[tuple[int, ...]] = [()]
        self.lm_score = [0.0]
        self.state = [state]
        self._longer: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        """Return how many sequences are known."""
        return len(self.words)

    def longer(self, history: int, word: int, lm_score: float, state: int) -> int:
        """Return the number of ``history`` and one word more; its score and state are given."""
        found = self._longer.setdefault((history, word), len(self.words))
        if found == len(self.words):
            self.words.append((*self.words[history], word))
            self.lm_score.append(lm_score)
            self.state.append(state)
        return found

    def before(self, history: int) -> int:
        """Return the number of a sequence less its newest word; the empty one stays."""
        return self.prefixes(history)[-2] if history else 0

    def prefixes(self, history: int) -> list[int]:
        """Return the numbers of all beginnings of a sequence, from the empty one to itself."""
        path = [0]
        for word in self.words[history]:
            path.append(self._longer[path[-1], word])
        return path

    def without(self, n_words: int, of: Iterable[int]) -> tuple[WordHistories, dict[int, int]]:
        """Return the sequences ``of`` less their first words, which are the same, now committed.

        The second value gives each its new number.
        """
        paths = {history: self.prefixes(history)[n_words:] for history in of}
        root = next(iter(paths.values()))[0]
        kept = WordHistories(self.state[root])
        numbers = {}
        for history, path in paths.items():
            new = 0
            for old in path[1:]:
                score = self.lm_score[old] - self.lm_score[root]
                new = kept.longer(new, self.words[old][-1], score, self.state[old])
            numbers[history] = new
        return kept, numbers

    def anew(
        self, of: Iterable[int], lm: WordLanguageModel | None
    ) -> tuple[WordHistories, dict[int, int]]:
        """Return the sequences ``of`` as the first words of a sentence, and their new numbers."""
        kept = WordHistories(lm.start if lm else 0)
        numbers = {}
        for history in of:
            new = 0
            for word in self.words[history]:
                score, state = kept.lm_score[new], kept.state[new]
                if lm is not None:
                    gain, after = lm.scores(np.array([state]), np.array([word]))
                    score, state = score + float(gain[0]), int(after[0])
                new = kept.longer(new, word, score, state)
            numbers[history] = new
        return kept, numbers
