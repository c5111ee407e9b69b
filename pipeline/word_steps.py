"""Where hypotheses made of words can go in one CTC frame: into a word, out of one, over a boundary.

A hypothesis stands at a node within a word or *between* words: at the root, where a word may begin,
or at its end, where a boundary must come first. Without a boundary symbol the two are one.
Everything is done for all hypotheses and all their children at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ctc import BLANK

if TYPE_CHECKING:
    from pipeline.lexicon import Lexicon
    from pipeline.word_language_model import WordLanguageModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Truths = NDArray[np.bool_]

NEVER: Final = -math.inf
ROOT: Final = 0
NO_WORD: Final = -1


@dataclass(slots=True)
class Hypotheses:
    """One entry a hypothesis, ``(n,)`` each.

    ``key`` is equal where hypotheses are. ``blank`` and ``symbol`` are ln of the summed probability
    of its alignments that end so, ``rank`` what it is kept for. ``history`` numbers its words;
    ``before`` and ``newest`` are that sequence cut in two. ``first``, ``seen``, ``log_emitted`` and
    ``log_miss`` place the word it is in or, between words, the newest one.
    """

    key: Ints
    blank: Floats
    symbol: Floats
    total: Floats
    rank: Floats
    node: Ints
    last: Ints
    history: Ints
    before: Ints
    newest: Ints
    n_words: Ints
    state: Ints
    lm_score: Floats
    first: Ints
    seen: Ints
    log_emitted: Floats
    log_miss: Floats

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.key)

    def take(self, rows: Ints) -> Hypotheses:
        """Return a copy of some."""
        return Hypotheses(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(slots=True)
class Steps:
    """What may come next, ``(n,)`` each: from hypothesis ``source`` to what has this ``key``.

    ``log_p`` is ln of the summed probability of the alignments that go there in this frame.
    ``word`` is the one that ends, or ``NO_WORD``; ``gain`` is what the language model gives it.
    """

    key: Ints
    source: Ints
    node: Ints
    last: Ints
    word: Ints
    log_p: Floats
    gain: Floats
    state: Ints


class WordSteps:
    """The lexicon and the language model as a machine that hypotheses move through."""

    def __init__(
        self, lexicon: Lexicon, lm: WordLanguageModel | None, *, prune_logp: float
    ) -> None:
        self._lexicon = lexicon
        self._lm = lm
        self._prune_logp = prune_logp
        self.boundary = -1 if lexicon.boundary is None else lexicon.boundary
        self.ended = ROOT if lexicon.boundary is None else lexicon.n_nodes
        self._first_child = np.append(lexicon.first_child, 0).astype(np.int64)
        self._n_children = np.append(np.diff(lexicon.first_child), 0)
        self._first_word = lexicon.first_word.astype(np.int64)
        self._n_words = np.diff(lexicon.first_word)

    def start(self, sample: int) -> Hypotheses:
        """Return the one hypothesis of no word, silent at ``sample``."""
        zero, one, never = np.zeros(1, np.int64), np.zeros(1), np.full(1, NEVER)
        return Hypotheses(
            key=zero,
            blank=one,
            symbol=never,
            total=one,
            rank=one,
            node=zero,
            last=zero + max(self.boundary, BLANK),
            history=zero,
            before=zero,
            newest=zero + NO_WORD,
            n_words=zero,
            state=zero + (self._lm.start if self._lm else 0),
            lm_score=one,
            first=zero + sample,
            seen=zero + sample,
            log_emitted=one,
            log_miss=one,
        )

    def is_between(self, node: Ints) -> Truths:
        """Say which nodes lie between words."""
        between: Truths = (node == ROOT) | (node == self.ended)
        return between

    def words_at(self, node: int) -> NDArray[np.int32]:
        """Return the words that are pronounced as this node, which lies within a word."""
        return self._lexicon.word[self._first_word[node] : self._first_word[node + 1]]

    def keys(self, some: Hypotheses) -> Ints:
        """Return the keys of hypotheses whose histories were numbered anew."""
        within = self._key_at(some.history, some.node)
        ended = self._key_after(some.before, some.newest, some.last)
        committed = -1 - 2 * some.last - (some.node == ROOT)  # nothing leads there again
        ended = np.where(some.history == 0, committed, ended)
        stays = ~self.is_between(some.node) | (some.last == max(self.boundary, BLANK))
        return np.where(stays, within, ended)

    def _key_at(self, history: Ints, node: Ints) -> Ints:
        """Return the key within a word, or at the root after a boundary."""
        return 2 * (history * self._lexicon.n_nodes + node)

    def _key_after(self, before: Ints, word: Ints, last: Ints) -> Ints:
        """Return the key right after a word that ends in the symbol ``last``."""
        lexicon = self._lexicon
        return 2 * ((before * len(lexicon.texts) + word) * lexicon.n_symbols + last) + 1

    def next(self, now: Hypotheses, log_p: Floats) -> Steps:
        """Return every step of a frame, ``(n_symbols,)``, but to stay."""
        source, child, by, mass = self._children(now, log_p)
        inner = np.flatnonzero(self._n_children[child])
        ended, offset = _ranges(self._n_words[child])
        word = self._lexicon.word[self._first_word[child[ended]] + offset].astype(np.int64)
        crossing, over = self._over_boundary(now, log_p)
        source_inner, source_ended = source[inner], source[ended]
        gain, state = self._ask(now.state[source_ended], word)
        n_wordless = len(inner) + len(crossing)
        sources = np.concatenate((source_inner, crossing, source_ended))
        nodes = np.concatenate((child[inner], np.full(len(crossing), ROOT)))
        histories = now.history[sources]
        return Steps(
            key=np.concatenate(
                (
                    self._key_at(histories[:n_wordless], nodes),
                    self._key_after(histories[n_wordless:], word, by[ended]),
                )
            ),
            source=sources,
            node=np.concatenate((nodes, np.full(len(ended), self.ended))),
            last=np.concatenate((by[inner], np.full(len(crossing), self.boundary), by[ended])),
            word=np.concatenate((np.full(n_wordless, NO_WORD), word)),
            log_p=np.concatenate((mass[inner], over, mass[ended])),
            gain=np.concatenate((np.zeros(n_wordless), gain)),
            state=np.concatenate((now.state[sources[:n_wordless]], state)),
        )

    def _children(self, now: Hypotheses, log_p: Floats) -> tuple[Ints, Ints, Ints, Floats]:
        """Return who goes to which child, by which symbol, and with what probability."""
        source, offset = _ranges(self._n_children[now.node])
        child = self._first_child[now.node][source] + offset
        by = self._lexicon.symbol[child].astype(np.int64)
        likely = np.flatnonzero(log_p[by] >= self._prune_logp)
        source, child, by = source[likely], child[likely], by[likely]
        repeats = by == now.last[source]  # a repeat needs a blank between
        mass = np.where(repeats, now.blank[source], now.total[source]) + log_p[by]
        possible = np.flatnonzero(mass > NEVER)
        return source[possible], child[possible], by[possible], mass[possible]

    def _over_boundary(self, now: Hypotheses, log_p: Floats) -> tuple[Ints, Floats]:
        """Return who takes the boundary symbol, and with what probability."""
        if self.boundary < 0 or log_p[self.boundary] < self._prune_logp:
            return np.zeros(0, np.int64), np.zeros(0)
        rows = np.flatnonzero(self.is_between(now.node))
        repeats = now.last[rows] == self.boundary
        mass = np.where(repeats, now.blank[rows], now.total[rows]) + log_p[self.boundary]
        return rows[mass > NEVER], mass[mass > NEVER]

    def _ask(self, state: Ints, word: Ints) -> tuple[Floats, Ints]:
        """Return what the language model gives each word, and its state after it."""
        if self._lm is None or not len(word):
            return np.zeros(len(word)), np.zeros(len(word), np.int64)
        return self._lm.scores(state, word)


def _ranges(counts: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """Return for ``counts[k]`` entries of each k: k itself, and 0, 1, 2 … within it."""
    owner = np.repeat(np.arange(len(counts)), counts)
    start = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - start[owner]
