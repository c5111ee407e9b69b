"""A character language model as a machine of small integer states, ready for a beam search.

A state is the longest context the model knows. All that follows from a state (the score of every
symbol, the state after it) is computed once, as one row over the vocabulary, and kept.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.arpa import Arpa, read_arpa

START, END, UNKNOWN, SPACE = "<s>", "</s>", "<unk>", "<sp>"
MAX_KEPT = 4096
"""States kept computed, 2 kB each; beyond that all are forgotten, and computed anew when needed."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What follows from one state, by token and by symbol of the vocabulary.

    After the tokens come an entry for what is no token, and one for the blank.
    """

    log_p: NDArray[np.float64]
    after: NDArray[np.int32]
    scores: NDArray[np.float64]
    next_state: array[int]
    end: float


class LanguageModel:
    """Natural-log probabilities of the symbols of one vocabulary, given the text so far.

    A symbol stands for the token that ``lm_symbols`` gives, else for itself in lower case, a space
    for ``<sp>``. A symbol without a token gets the score of ``<unk>``, or 1 / n_tokens where
    the model has none; it leaves the empty context. The blank ``""`` scores 0 and changes nothing.
    No symbol, and no end, scores below ``floor``.
    """

    def __init__(
        self,
        arpa: Arpa,
        *,
        vocabulary: Sequence[str],
        lm_symbols: Mapping[str, str] | None = None,
        floor: float = -12.0,
    ) -> None:
        self.vocabulary = tuple(vocabulary)
        self.floor = floor
        self._arpa = arpa
        ids = {token: k for k, token in enumerate(arpa.tokens)}
        nobody, blank = len(ids), len(ids) + 1
        unknown = ids.get(UNKNOWN, nobody)
        given = lm_symbols or {}
        names = [given.get(s, SPACE if s == " " else s.lower()) for s in self.vocabulary]
        spoken = {token: k for token, k in ids.items() if token not in (START, END)}
        columns = [spoken.get(n, unknown) if n else blank for n in names]
        self._columns = np.array(columns, np.intp)
        self._end = ids.get(END, unknown)
        self._uniform = -math.log(max(1, len(ids.keys() - {START})))
        self._start = self._first_child_of_root(ids[START]) if START in ids else 0
        self._rows: dict[int, _Row] = {}

    @classmethod
    def from_arpa(
        cls,
        lines: Iterable[str],
        *,
        vocabulary: Sequence[str],
        lm_symbols: Mapping[str, str] | None = None,
        floor: float = -12.0,
        where: str = "lm.arpa",
    ) -> LanguageModel:
        """Read ARPA text; ``where`` names it in errors.

        Raises:
            BundleError: the text is not a language model; names the line.
        """
        arpa = read_arpa(lines, where=where)
        return cls(arpa, vocabulary=vocabulary, lm_symbols=lm_symbols, floor=floor)

    @property
    def start(self) -> int:
        """The state at the start of a sentence."""
        return self._start

    def scores(self, state: int) -> NDArray[np.float64]:
        """Return ln P(symbol | state), one for each symbol, ``(n_vocabulary,)``; read only."""
        return (self._rows.get(state) or self._compute(state)).scores

    def advance(self, state: int, symbol: int) -> int:
        """Return the state after the symbol with this index."""
        return (self._rows.get(state) or self._compute(state)).next_state[symbol]

    def end(self, state: int) -> float:
        """Return ln P(``</s>`` | state)."""
        return (self._rows.get(state) or self._compute(state)).end

    def _first_child_of_root(self, token: int) -> int:
        arpa = self._arpa
        children = arpa.token[arpa.first_child[0] : arpa.first_child[1]]
        return int(arpa.first_child[0] + np.searchsorted(children, token)) if arpa.order > 1 else 0

    def _compute(self, state: int) -> _Row:
        """Back off to the next shorter context; what this context lists replaces it."""
        arpa = self._arpa
        n_tokens = len(arpa.tokens)
        if state:
            suffix = int(arpa.suffix[state])
            shorter = self._rows.get(suffix) or self._compute(suffix)
            log_p = shorter.log_p + arpa.back_off[state]
            after = shorter.after.copy()
        else:
            log_p = np.zeros(n_tokens + 2)
            after = np.zeros(n_tokens + 2, np.int32)
        start, stop = arpa.first_child[state], arpa.first_child[state + 1]
        listed = arpa.token[start:stop]
        log_p[listed] = arpa.log_p[start:stop]
        if arpa.depth[state] + 1 < arpa.order:  # the longest n-grams are no contexts
            after[listed] = np.arange(start, stop)
        log_p[n_tokens:] = self._uniform, 0.0
        after[n_tokens:] = 0, state
        bounded = np.minimum(np.maximum(log_p, self.floor), 0.0)
        scores = bounded[self._columns]
        scores.flags.writeable = False
        next_state = array("i", after[self._columns].tobytes())
        if len(self._rows) >= MAX_KEPT:
            self._rows.clear()
        row = _Row(log_p, after, scores, next_state, float(bounded[self._end]))
        self._rows[state] = row
        return row
