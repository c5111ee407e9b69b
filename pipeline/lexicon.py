"""How words are pronounced, as a prefix tree over symbols of the vocabulary.

Every prefix of a pronunciation is a node; node 0 is the empty one. Nodes are numbered level by
level and, within a level, by parent and symbol; so the children of a node are neighbours, and
135 000 pronunciations take 8 MB beside their words.

The text may come from a stranger: one line a pronunciation, ``word TAB symbols`` with a space
between symbols. It is checked line by line, and a fault is told with its line.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.ctc import BLANK
from pipeline.errors import BundleError
from pipeline.tail_text import is_action

MAX_PRONUNCIATIONS: Final = 1_000_000
MAX_SYMBOLS: Final = 64
"""Symbols of one pronunciation."""
MAX_LINE: Final = 1024

SILENCES: Final = ("SIL", " ", "|")
"""Symbols that stand between words; the first of them that a vocabulary has is its boundary."""

Indices = NDArray[np.int32]


def boundary_of(vocabulary: Sequence[str]) -> int | None:
    """Return the index of the symbol between words, None where the vocabulary has none."""
    return next((vocabulary.index(s) for s in SILENCES if s in vocabulary), None)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words and the tree of their pronunciations.

    ``texts`` is what each word adds to a transcript: itself and a space. The children of node k are
    the nodes ``first_child[k] .. first_child[k + 1]`` in order of ``symbol``, the one that leads to
    them; the words pronounced so far as k are ``word[first_word[k] : first_word[k + 1]]``. The
    nodes of level n are ``level[n] .. level[n + 1]``.
    """

    texts: tuple[str, ...]
    boundary: int | None
    n_symbols: int
    symbol: Indices
    parent: Indices
    first_child: Indices
    word: Indices
    first_word: Indices
    level: Indices

    @property
    def n_nodes(self) -> int:
        """The nodes of the tree, the root among them."""
        return len(self.symbol)

    def words(self) -> tuple[str, ...]:
        """Return the words without their space."""
        return tuple(text[:-1] for text in self.texts)

    def best_below(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the best score of a word at or below each node, ``(n_nodes,)``.

        Args:
            scores: one a word.
        """
        best = np.full(self.n_nodes, -np.inf)
        nodes = np.repeat(np.arange(self.n_nodes), np.diff(self.first_word))
        np.maximum.at(best, nodes, scores[self.word])
        for start, stop in zip(self.level[-2:0:-1], self.level[:0:-1], strict=False):
            np.maximum.at(best, self.parent[start:stop], best[start:stop])
        return best


def read_lexicon(
    lines: Iterable[str], *, vocabulary: Sequence[str], where: str = "lexicon.txt"
) -> Lexicon:
    """Read pronunciations in symbols of ``vocabulary``; empty lines are skipped.

    Raises:
        BundleError: a line is malformed, too long or there a second time, names a symbol that the
            vocabulary has not or that stands between words, or a word that is no text.
    """
    reader = _Reader(vocabulary, where)
    for line in lines:
        reader.take(line.rstrip("\r\n"))
    if not reader.words:
        raise BundleError(f"{where}: no pronunciations, expected a word, a tab, symbols a line")
    return _compile(reader, len(vocabulary))


class _Reader:
    """Lines become numbers: words by first appearance, pronunciations end to end."""

    def __init__(self, vocabulary: Sequence[str], where: str) -> None:
        self.boundary = boundary_of(vocabulary)
        self._ids = {s: k for k, s in enumerate(vocabulary) if k not in (BLANK, self.boundary)}
        self._vocabulary = vocabulary
        self._where = where
        self._number = 0
        self._seen: set[str] = set()
        self.words: dict[str, int] = {}
        self.word = array("i")
        self.symbols = array("i")
        self.lengths = array("i")

    def take(self, line: str) -> None:
        """Take the next line."""
        self._number += 1
        if not line:
            return
        if len(line) > MAX_LINE:
            self._refuse(f"{len(line)} characters long, must be at most {MAX_LINE}")
        if line in self._seen:
            self._refuse(f"{_shown(line)} is here a second time")
        self._seen.add(line)
        word, tab, spelled = line.partition("\t")
        if word not in self.words:
            self._check_word(word, tab)
        names = spelled.split(" ")
        if len(names) > MAX_SYMBOLS:
            self._refuse(f"{len(names)} symbols, must be at most {MAX_SYMBOLS}")
        try:
            self.symbols.extend([self._ids[name] for name in names])
        except KeyError as error:
            self._refuse_symbol(error.args[0])
        self.word.append(self.words.setdefault(word, len(self.words)))
        self.lengths.append(len(names))
        if len(self.lengths) > MAX_PRONUNCIATIONS:
            self._refuse(f"more than {MAX_PRONUNCIATIONS} pronunciations")

    def _check_word(self, word: str, tab: str) -> None:
        if not tab or not word:
            self._refuse("expected a word, a tab, and its symbols with a space between")
        if not word.isprintable() or " " in word or is_action(word):
            self._refuse(f"got the word {_shown(word)}, expected printable text without spaces")

    def _refuse_symbol(self, name: str) -> NoReturn:
        if not name:
            self._refuse("an empty symbol, expected one space between symbols")
        if self.boundary is not None and name == self._vocabulary[self.boundary]:
            self._refuse(f"symbol {name!r} stands between words, not within one")
        self._refuse(f"symbol {_shown(name)} is not in the vocabulary")

    def _refuse(self, problem: str) -> NoReturn:
        raise BundleError(f"{self._where}, line {self._number}: {problem}")


def _shown(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")


def _compile(reader: _Reader, n_symbols: int) -> Lexicon:
    """Grow all pronunciations by one symbol at a time; equal prefixes share a node."""
    lengths, symbols = np.asarray(reader.lengths), np.asarray(reader.symbols)
    starts = np.cumsum(lengths) - lengths
    node = np.zeros(len(lengths), np.int64)  # of each pronunciation's prefix so far
    symbol, parent, level = [np.full(1, BLANK)], [np.zeros(1, np.int64)], [0, 1]
    for depth in range(int(lengths.max())):
        longer = np.flatnonzero(lengths > depth)
        keys = node[longer] * n_symbols + symbols[starts[longer] + depth]
        distinct, place = np.unique(keys, return_inverse=True)
        node[longer] = level[-1] + place
        parents, by = np.divmod(distinct, n_symbols)
        parent.append(parents)
        symbol.append(by)
        level.append(level[-1] + len(distinct))
    n_nodes = level[-1]
    order = np.argsort(node, kind="stable")
    parents = np.concatenate(parent)
    nodes = np.arange(n_nodes + 1)
    return Lexicon(
        texts=tuple(f"{word} " for word in reader.words),
        boundary=reader.boundary,
        n_symbols=n_symbols,
        symbol=np.concatenate(symbol).astype(np.int32),
        parent=parents.astype(np.int32),
        first_child=(np.searchsorted(parents[1:], nodes) + 1).astype(np.int32),
        word=np.asarray(reader.word)[order],
        first_word=np.searchsorted(node[order], nodes).astype(np.int32),
        level=np.array(level, np.int32),
    )
