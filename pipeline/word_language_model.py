"""A word language model that many hypotheses ask at once, for words in tens of thousands.

A state is the longest context the model knows: a node of its tree. Nothing is kept beside the
tree: every (context, word) pair asked for is found by bisection, and backs off where it is not
listed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arpa import MAX_WORDS, Arpa, read_arpa
from pipeline.language_model import END, START, UNKNOWN

Floats = NDArray[np.float64]
States = NDArray[np.int64]
Words = NDArray[np.integer[Any]]


class WordLanguageModel:
    """Natural-log probabilities of the words of one lexicon, given the words before.

    A word stands for the token spelled as it is, else for that in lower case. A word without a
    token gets the score of ``<unk>``, or 1 / n_tokens where the model has none; it leaves the empty
    context. No word, and no end, scores below ``floor``.
    """

    def __init__(self, arpa: Arpa, *, words: Sequence[str], floor: float = -12.0) -> None:
        self._arpa = arpa
        self._floor = floor
        n_tokens = len(arpa.tokens)
        ids = {token: k for k, token in enumerate(arpa.tokens)}
        spoken = {token: k for token, k in ids.items() if token not in (START, END)}
        nobody = ids.get(UNKNOWN, -1)
        self._token = np.array(
            [spoken.get(w, spoken.get(w.lower(), nobody)) for w in words], np.int64
        )
        self._end = np.array([ids.get(END, nobody)], np.int64)
        self._uniform = -math.log(max(1, len(ids.keys() - {START})))
        parent = np.repeat(np.arange(len(arpa.token)), np.diff(arpa.first_child))
        self._key = parent.astype(np.int64) * n_tokens + arpa.token[1:]
        self._n_tokens = n_tokens
        self._start = 1 + ids[START] if START in ids and arpa.order > 1 else 0
        self.unigrams = self.scores(np.zeros(len(words), np.int64), np.arange(len(words)))[0]
        """ln P(word) without context, ``(n_words,)``."""

    @classmethod
    def from_arpa(
        cls,
        lines: Iterable[str],
        *,
        words: Sequence[str],
        floor: float = -12.0,
        where: str = "words.arpa",
    ) -> WordLanguageModel:
        """Read ARPA text; ``where`` names it in errors.

        Raises:
            BundleError: the text is not a language model; names the line.
        """
        arpa = read_arpa(lines, max_tokens=MAX_WORDS, where=where)
        return cls(arpa, words=words, floor=floor)

    @property
    def start(self) -> int:
        """The state at the start of a sentence."""
        return self._start

    def scores(self, states: States, words: Words) -> tuple[Floats, States]:
        """Return ln P(word | state) of each pair, and the states after them."""
        return self._look_up(states, self._token[words])

    def ends(self, states: States) -> Floats:
        """Return ln P(``</s>`` | state)."""
        return self._look_up(states, np.repeat(self._end, len(states)))[0]

    def _look_up(self, states: States, tokens: NDArray[np.int64]) -> tuple[Floats, States]:
        """Shorten the context of each pair until the model lists it; the empty one lists all."""
        arpa, n_tokens = self._arpa, self._n_tokens
        log_p = np.zeros(len(states))
        after = np.zeros(len(states), np.int64)
        unknown = tokens < 0
        log_p[unknown] = self._uniform
        asked = np.flatnonzero(~unknown)
        context, token = states[asked], tokens[asked]
        while asked.size:
            wanted = context * n_tokens + token
            place = np.minimum(np.searchsorted(self._key, wanted), len(self._key) - 1)
            listed = self._key[place] == wanted
            found, node = asked[listed], place[listed] + 1
            log_p[found] += arpa.log_p[node]
            after[found] = np.where(arpa.depth[node] < arpa.order, node, arpa.suffix[node])
            asked, context, token = asked[~listed], context[~listed], token[~listed]
            log_p[asked] += arpa.back_off[context]
            context = arpa.suffix[context].astype(np.int64)
        return np.minimum(np.maximum(log_p, self._floor), 0.0), after
