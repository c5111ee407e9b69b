"""CTC prefix beam search with a character language model, a few numpy calls a frame.

Hypotheses are distinct tails, each in its slot; a slot keeps the ln of the summed probability of
the alignments of its tail that end in blank, and of those that end in its last symbol (Graves 2012,
Hannun et al. 2014). A frame extends every hypothesis by every symbol at once, in one matrix. Two
hypotheses can meet in the same tail in one way only: one is the other plus a symbol, and the other
is extended by it; those pairs are known beforehand. Merging comes first, pruning after. The
language model scores a symbol once, when it is added.
"""

from __future__ import annotations

import math
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.ctc import BLANK, Emission, Scored, n_shared
from pipeline.ctc_greedy import CERTAIN

Floats = NDArray[np.float64]
Tail = tuple[int, ...]
Trace = tuple["Trace", int, int, int, float] | None
"""All symbols of a tail but its last: those before, then symbol, first, last, log_miss."""
Places = tuple[list[Trace], NDArray[np.int64], NDArray[np.int64], Floats]
"""By slot: the trace before the last symbol, and that symbol's first, last and log_miss."""

NEVER: Final = -math.inf

MAX_UNDONE: Final = 32
"""Committed symbols that backspaces can undo for the language model."""


class SymbolModel(Protocol):
    """What the search asks of a language model."""

    @property
    def start(self) -> int:
        """The state at the start of a sentence."""

    def scores(self, state: int) -> Floats:
        """Return ln P(symbol | state), ``(n_symbols,)``."""

    def advance(self, state: int, symbol: int) -> int:
        """Return the state after a symbol."""

    def end(self, state: int) -> float:
        """Return ln P(end of sentence | state)."""


class PrefixBeam:
    """The ``width`` tails of the highest score.

    ``score = model_score + lm_weight * lm_score + length_bonus * n_symbols``. A symbol of a frame
    below ``prune_logp`` is not extended with. A hypothesis more than ``margin`` below the best one
    does not hinder agreement. After the symbol ``backspace`` the language model is where it was
    before the symbol deleted. ``semiring`` ``"max"`` scores a tail by its best alignment in place
    of the sum.
    """

    def __init__(
        self,
        n_symbols: int,
        *,
        width: int,
        sample: int = 0,
        lm: SymbolModel | None = None,
        lm_weight: float = 0.0,
        length_bonus: float = 0.0,
        prune_logp: float = NEVER,
        margin: float = math.inf,
        backspace: int | None = None,
        semiring: Literal["sum", "max"] = "sum",
    ) -> None:
        """Start with the empty tail alone, silent at ``sample``."""
        self._lm = lm
        self._lm_weight, self._length_bonus = lm_weight, length_bonus
        self._prune_logp, self._margin = prune_logp, margin
        self._add = np.logaddexp if semiring == "sum" else np.maximum
        self._width = width
        self._backspace = backspace
        self._root_states = [lm.start if lm else 0]  # after each committed symbol, the newest last
        self._rows = np.arange(width)
        # One entry a slot; an empty slot has no tail and no probability.
        self._tails: list[Tail | None] = [None] * width
        self._traces: list[Trace] = [None] * width
        self._states = self._root_states * width
        self._lm_scores = [0.0] * width
        self._blank = np.full(width, NEVER)
        self._symbol = np.full(width, NEVER)
        self._total = np.full(width, NEVER)
        self._offset = np.zeros(width)
        self._score = np.full(width, NEVER)
        self._gain = np.zeros((width, n_symbols))
        self._last = np.full(width, BLANK)
        self._first_seen = np.full(width, sample)
        self._last_seen = np.full(width, sample)
        self._log_miss = np.zeros(width)
        self._tails[0] = ()
        self._blank[0] = self._total[0] = self._score[0] = 0.0
        self._best = 0
        self._rescore(0)
        self._pair()

    def step(self, log_p: Floats, sample: int) -> None:
        """Take the next frame: extend, merge, then keep the best."""
        add, last, total = self._add, self._last, self._total
        blank = total + log_p[BLANK]
        own = log_p[last]
        symbol = self._symbol + own
        allowed = np.where(log_p < self._prune_logp, NEVER, log_p)
        allowed[BLANK] = NEVER
        extended = total[:, None] + allowed
        extended[self._rows, last] = self._blank + allowed[last]  # a repeat needs a blank between
        log_misses = np.log(-np.expm1(np.minimum(own, CERTAIN)))
        before = self._places()
        later: list[tuple[int, Trace]] = []
        if len(self._children):
            children = self._children
            incoming = extended[self._parents, self._by]
            extended[self._parents, self._by] = NEVER
            stayed = add(blank, symbol)[children]
            symbol[children] = add(symbol[children], incoming)
            later = [
                (int(children[pair]), self._trace(int(self._parents[pair]), before))
                for pair in np.flatnonzero(incoming > stayed).tolist()
            ]
        self._blank, self._symbol = blank, symbol
        self._total = add(blank, symbol)
        self._score = self._total + self._offset
        seen = symbol > blank
        self._last_seen = np.where(seen, sample, self._last_seen)
        self._log_miss = self._log_miss + np.where(seen, log_misses, 0.0)
        if later:
            self._traces, self._first_seen = self._traces.copy(), self._first_seen.copy()
            for slot, trace in later:
                self._traces[slot] = trace
                self._first_seen[slot] = self._last_seen[slot] = sample
                self._log_miss[slot] = log_misses[slot]
        candidates = extended + self._gain
        if candidates.max() > self._score.min():
            self._admit(candidates, extended, log_p, sample, before)
        self._best = int(self._score.argmax())

    def _admit(
        self,
        candidates: Floats,
        extended: Floats,
        log_p: Floats,
        sample: int,
        before: Places,
    ) -> None:
        """Let the best of all extensions take the slots of the hypotheses they beat."""
        width = self._width
        scores = np.concatenate((self._score, candidates.ravel()))
        kept = np.argpartition(scores, -width)[-width:]
        kept = kept[scores[kept] > NEVER]
        stays = np.zeros(width, np.bool_)
        stays[kept[kept < width]] = True
        free = np.flatnonzero(~stays).tolist()
        parents, symbols = np.divmod(np.sort(kept[kept >= width]) - width, candidates.shape[1])
        born = [
            self._child(parent, symbol, self._trace(parent, before))
            for parent, symbol in zip(parents.tolist(), symbols.tolist(), strict=True)
        ]
        for slot in free[len(born) :]:
            self._clear(slot)
        slots = free[: len(born)]
        for slot, (tail, trace, state, lm_score) in zip(slots, born, strict=True):
            self._tails[slot], self._traces[slot] = tail, trace
            self._states[slot], self._lm_scores[slot] = state, lm_score
        self._symbol[slots] = self._total[slots] = extended[parents, symbols]
        self._blank[slots] = NEVER
        self._score[slots] = candidates[parents, symbols]
        self._last[slots] = symbols
        self._first_seen[slots] = self._last_seen[slots] = sample
        self._log_miss[slots] = np.log(-np.expm1(np.minimum(log_p[symbols], CERTAIN)))
        for slot in slots:
            self._rescore(slot)
        self._pair()

    def _child(self, parent: int, symbol: int, trace: Trace) -> tuple[Tail, Trace, int, float]:
        tail = (*self._tail_of(parent), symbol)
        if self._lm is None:
            return tail, trace, 0, 0.0
        state = self._states[parent]
        lm_score = self._lm_scores[parent] + float(self._lm.scores(state)[symbol])
        if symbol == self._backspace:
            return tail, trace, self._read(tail)[0][-1], lm_score
        return tail, trace, self._lm.advance(state, symbol), lm_score

    def _places(self) -> Places:
        return self._traces, self._first_seen, self._last_seen, self._log_miss

    def _trace(self, slot: int, places: Places) -> Trace:
        """Return the whole tail of a slot as a trace, where these places have it."""
        tail = self._tails[slot]
        if not tail:
            return None
        traces, first, last, log_miss = places
        return traces[slot], tail[-1], int(first[slot]), int(last[slot]), float(log_miss[slot])

    def _tail_of(self, slot: int) -> Tail:
        tail = self._tails[slot]
        if tail is None:
            raise IndexError(f"slot {slot} is empty")
        return tail

    def _clear(self, slot: int) -> None:
        self._tails[slot] = self._traces[slot] = None
        self._blank[slot] = self._symbol[slot] = self._total[slot] = self._score[slot] = NEVER

    def _rescore(self, slot: int) -> None:
        """Renew what a tail and each of its extensions get beside their probability."""
        n_symbols = len(self._tail_of(slot))
        offset = self._lm_weight * self._lm_scores[slot] + self._length_bonus * n_symbols
        self._offset[slot] = offset
        gain = offset + self._length_bonus
        if self._lm is None:
            self._gain[slot] = gain
        else:
            np.multiply(self._lm.scores(self._states[slot]), self._lm_weight, out=self._gain[slot])
            self._gain[slot] += gain

    def _pair(self) -> None:
        """Find the hypotheses that are another one plus a symbol."""
        slots = {tail: slot for slot, tail in enumerate(self._tails) if tail is not None}
        pairs = [
            (slot, slots[tail[:-1]], tail[-1])
            for tail, slot in slots.items()
            if tail and tail[:-1] in slots
        ]
        self._children, self._parents, self._by = np.array(pairs, np.intp).reshape(-1, 3).T

    @property
    def tail(self) -> Tail:
        """The best hypothesis."""
        return self._tail_of(self._best)

    @property
    def is_open(self) -> bool:
        """Whether the best hypothesis has a symbol."""
        return bool(self.tail)

    @property
    def last_seen(self) -> int:
        """First sample of the last frame in which the best hypothesis emits a symbol."""
        return int(self._last_seen[self._best])

    def emissions(self) -> list[Emission]:
        """Return the symbols of the best hypothesis with their places."""
        places = []
        trace = self._trace(self._best, self._places())
        while trace is not None:
            places.append(Emission(*trace[1:]))
            trace = trace[0]
        return places[::-1]

    def n_agreed(self) -> int:
        """Return how many symbols of the best hypothesis all survivors within the margin share."""
        enough = float(self._score[self._best]) - self._margin
        near = np.flatnonzero(self._score >= enough)
        tails = [tail for tail in map(self._tails.__getitem__, near.tolist()) if tail is not None]
        return n_shared(tails)

    def share(self, n_symbols: int) -> float:
        """Return the share of probability that begins with that much of the best hypothesis."""
        weights = np.exp(self._score - self._score[self._best])
        return float(weights[self._agreeing(n_symbols)].sum() / weights.sum())

    def best(self, n_best: int) -> list[Scored]:
        """Return the best hypotheses, best first."""
        order = np.argsort(-self._score, kind="stable").tolist()
        order.remove(self._best)
        return [
            Scored(tail, float(self._score[k]), float(self._total[k]), self._lm_scores[k])
            for k in (self._best, *order[: n_best - 1])
            if (tail := self._tails[k]) is not None and self._total[k] > NEVER
        ]

    def commit(self, n_symbols: int) -> None:
        """Take that much of the best hypothesis for true: others die, survivors lose it."""
        self._root_states = self._read(self.tail[:n_symbols])[0][-MAX_UNDONE:]
        self._keep(self._agreeing(n_symbols), n_symbols)

    def end(self, *, quiet_since: int) -> None:
        """Make that hypothesis the best which ends best, of those silent after ``quiet_since``."""
        if self._lm is None:
            return
        for slot, state in enumerate(self._states):
            end = self._lm.end(state)
            self._lm_scores[slot] += end
            self._score[slot] += self._lm_weight * end
        scores = np.where(self._last_seen <= quiet_since, self._score, NEVER)
        if scores.max() > NEVER:
            self._best = int(scores.argmax())

    def restart(self, *, quiet_since: int) -> None:
        """Begin a new sentence; a tail that began before ``quiet_since`` dies."""
        self._root_states = [self._lm.start if self._lm else 0]
        starts = [self._start_of(slot) for slot in range(self._width)]
        keep = [
            slot
            for slot, tail in enumerate(self._tails)
            if tail == () or (tail is not None and starts[slot] >= quiet_since)
        ]
        self._keep(keep, 0)

    def _agreeing(self, n_symbols: int) -> list[int]:
        start = self.tail[:n_symbols]
        return [
            slot
            for slot, tail in enumerate(self._tails)
            if tail is not None and tail[:n_symbols] == start
        ]

    def _start_of(self, slot: int) -> int:
        """Return the sample where a tail's first symbol begins."""
        start, trace = int(self._first_seen[slot]), self._traces[slot]
        while trace is not None:
            start, trace = trace[2], trace[0]
        return start

    def _keep(self, slots: list[int], n_committed: int) -> None:
        """Let only these live, without their committed start, and with probability one in total."""
        total = float(self._add.reduce(self._total[slots]))
        for slot in set(range(self._width)).difference(slots):
            self._clear(slot)
        for slot in slots:
            tail = self._tail_of(slot)[n_committed:]
            self._tails[slot] = tail
            self._traces[slot] = _newest(self._traces[slot], len(tail) - 1)
            states, self._lm_scores[slot] = self._read(tail)
            self._states[slot] = states[-1]
            self._rescore(slot)
        for logs in (self._blank, self._symbol, self._total):
            logs -= total
        self._score = self._total + self._offset
        self._best = int(self._score.argmax())
        self._pair()

    def _read(self, tail: Tail) -> tuple[list[int], float]:
        """Return the states after each symbol that stands, and ln P(tail | committed text)."""
        states, lm_score, lm = self._root_states.copy(), 0.0, self._lm
        if lm is None:
            return states, lm_score
        for symbol in tail:
            lm_score += float(lm.scores(states[-1])[symbol])
            if symbol != self._backspace:
                states.append(lm.advance(states[-1], symbol))
            elif len(states) > 1:
                states.pop()
        return states, lm_score


def _newest(trace: Trace, n_symbols: int) -> Trace:
    """Return the trace cut to its newest symbols, so that the committed ones are forgotten."""
    links: list[tuple[Trace, int, int, int, float]] = []
    while trace is not None and len(links) < n_symbols:
        links.append(trace)
        trace = trace[0]
    cut: Trace = None
    for _, symbol, first, last, log_miss in reversed(links):
        cut = (cut, symbol, first, last, log_miss)
    return cut
