"""Reading an n-gram language model in ARPA text, of any order, into flat arrays.

Every n-gram is a node: its parent is the n-gram without its last token, the root the empty one.
Nodes are numbered level by level and, within a level, by parent and token; so the
children of a node are neighbours, and a model of 70 000 n-grams takes 2 MB.

The text may come from a stranger: it is checked line by line, and a fault is told with its line.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BundleError

MAX_ORDER = 32
MAX_TOKENS = 10_000
"""Characters, whose scores are kept as whole rows; words may be more."""
MAX_WORDS = 1_000_000
MAX_NGRAMS = 2_000_000
MAX_LINE = 4096
MAX_PREAMBLE = 1000
MAX_LOG10_BACK_OFF = 1000.0
ROUNDING = 1e-4
"""How far above one a probability may lie in log10: what writers round to."""

LN10 = math.log(10.0)
COUNT = re.compile(r"ngram\s+(\d{1,9})\s*=\s*(\d{1,12})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Arpa:
    """A back-off model as arrays over nodes; node 0 is the empty context.

    ``log_p`` and ``back_off`` are natural logs. The children of node k are the nodes
    ``first_child[k] .. first_child[k + 1]``, in order of ``token``. ``suffix[k]`` is the longest
    n-gram that ends the n-gram k without being it.
    """

    order: int
    tokens: tuple[str, ...]
    token: NDArray[np.int32]
    log_p: NDArray[np.float64]
    back_off: NDArray[np.float64]
    first_child: NDArray[np.int32]
    suffix: NDArray[np.int32]
    depth: NDArray[np.int8]


class _Lines:
    """Numbered, stripped, non-empty lines of a text that may be hostile."""

    def __init__(self, lines: Iterable[str], where: str) -> None:
        self._lines: Iterator[str] = iter(lines)
        self._where = where
        self.number = 0

    def next(self, *, wanted: str) -> str:
        """Return the next line that is not empty; refuse the end of the text."""
        for line in self._lines:
            self.number += 1
            if len(line) > MAX_LINE:
                self.refuse(f"{len(line)} characters long, must be at most {MAX_LINE}")
            stripped = line.strip()
            if stripped:
                return stripped
        return self.refuse(f"the text ends here, expected {wanted}")

    def refuse(self, problem: str) -> NoReturn:
        """Tell a fault of the present line."""
        raise BundleError(f"{self._where}, line {self.number}: {problem}")


class _Level:
    """The n-grams of one order as they come, before they are sorted."""

    def __init__(self) -> None:
        self.position: dict[str, int] = {}
        self.parent = array("i")
        self.token = array("i")
        self.log10_p = array("d")
        self.log10_back_off = array("d")


def read_arpa(
    lines: Iterable[str], *, max_tokens: int = MAX_TOKENS, where: str = "lm.arpa"
) -> Arpa:
    r"""Read a whole ARPA text, from ``\data\`` to ``\end\``.

    Raises:
        BundleError: the text is malformed, truncated, contradicts its own counts, holds a number
            that is not one, names an n-gram twice, or is beyond the limits; names the line.
    """
    text = _Lines(lines, where)
    counts, line = _read_counts(text, max_tokens)
    token_ids: dict[str, int] = {}
    levels: list[_Level] = []
    for order, n_expected in enumerate(counts, start=1):
        if line != f"\\{order}-grams:":
            text.refuse(f"got {_shown(line)}, expected \\{order}-grams:")
        shorter = levels[-1].position if levels else {}
        level = _Level()
        line = _read_level(text, order, n_expected, token_ids, shorter, level)
        if levels:
            levels[-1].position = {}
        levels.append(level)
    if line != "\\end\\":
        text.refuse(f"got {_shown(line)}, expected \\end\\")
    return _compile(levels, tuple(token_ids))


def _read_counts(text: _Lines, max_tokens: int) -> tuple[list[int], str]:
    for _ in range(MAX_PREAMBLE):
        if text.next(wanted="\\data\\") == "\\data\\":
            break
    else:
        text.refuse(f"no \\data\\ within {MAX_PREAMBLE} lines")
    counts: list[int] = []
    while True:
        line = text.next(wanted="\\1-grams:")
        if line.startswith("\\"):
            break
        match = COUNT.fullmatch(line)
        if match is None or int(match[1]) != len(counts) + 1:
            text.refuse(f"got {_shown(line)}, expected ngram {len(counts) + 1}=<count>")
        counts.append(int(match[2]))
        if len(counts) > MAX_ORDER or sum(counts) > MAX_NGRAMS:
            text.refuse(
                f"order {len(counts)} with {sum(counts)} n-grams, must be at most"
                f" order {MAX_ORDER} and {MAX_NGRAMS} n-grams"
            )
    if not counts or not 1 <= counts[0] <= max_tokens:
        got = f"{counts[0]} tokens" if counts else "no n-gram counts"
        text.refuse(f"got {got}, expected 1 to {max_tokens} tokens")
    return counts, line


def _read_level(
    text: _Lines,
    order: int,
    n_expected: int,
    token_ids: dict[str, int],
    shorter: dict[str, int],
    level: _Level,
) -> str:
    """Read the n-grams of one order; return the line after them."""
    while True:
        line = text.next(wanted="\\end\\")
        if line.startswith("\\"):
            break
        if len(level.token) == n_expected:
            text.refuse(f"more {order}-grams than the {n_expected} that \\data\\ counts")
        fields = line.split()
        if len(fields) not in (order + 1, order + 2):
            text.refuse(f"{len(fields)} fields, expected {order + 1} or {order + 2}")
        *context, last = fields[1 : order + 1]
        gram = " ".join(fields[1 : order + 1])
        if gram in level.position:
            text.refuse(f"n-gram {_shown(gram)} is here a second time")
        if order == 1:
            token_ids[last] = len(token_ids)
        parent = shorter.get(" ".join(context)) if context else 0
        if parent is None:
            text.refuse(f"n-gram {_shown(gram)} without its context {_shown(' '.join(context))}")
        if last not in token_ids:
            text.refuse(f"token {_shown(last)} is not among the 1-grams")
        level.position[gram] = len(level.token)
        level.parent.append(parent)
        level.token.append(token_ids[last])
        level.log10_p.append(_number(text, fields[0], highest=ROUNDING))
        back_off = fields[order + 1] if len(fields) > order + 1 else "0"
        level.log10_back_off.append(_number(text, back_off, highest=MAX_LOG10_BACK_OFF))
    if len(level.token) != n_expected:
        text.refuse(f"{len(level.token)} {order}-grams, \\data\\ counts {n_expected}")
    return line


def _number(text: _Lines, field: str, *, highest: float) -> float:
    try:
        value = float(field)
    except ValueError:
        text.refuse(f"got {_shown(field)}, expected a number")
    if not -1e300 < value <= highest:
        text.refuse(f"got {_shown(field)}, expected a finite number of at most {highest:g}")
    return value


def _shown(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:57] + "...")


def _compile(levels: list[_Level], tokens: tuple[str, ...]) -> Arpa:
    n_tokens = len(tokens)
    keys = [np.empty(0, np.int64)]
    log_p, back_off = [np.zeros(1)], [np.zeros(1)]
    depth = [np.zeros(1, np.int8)]
    node_of = np.zeros(1, np.int64)  # position in the level above -> node
    n_nodes = 1
    for order, level in enumerate(levels, start=1):
        key = node_of[np.asarray(level.parent)] * n_tokens + np.asarray(level.token)
        ascending = np.argsort(key)
        node_of = np.empty(len(key), np.int64)
        node_of[ascending] = np.arange(n_nodes, n_nodes + len(key))
        keys.append(key[ascending])
        log_p.append(np.asarray(level.log10_p)[ascending] * LN10)
        back_off.append(np.asarray(level.log10_back_off)[ascending] * LN10)
        depth.append(np.full(len(key), order, np.int8))
        n_nodes += len(key)
    key = np.concatenate(keys)
    parents = np.arange(n_nodes + 1, dtype=np.int64) * n_tokens
    return Arpa(
        order=len(levels),
        tokens=tokens,
        token=np.concatenate(([0], key % n_tokens)).astype(np.int32),
        log_p=np.minimum(np.concatenate(log_p), 0.0),
        back_off=np.concatenate(back_off),
        first_child=(np.searchsorted(key, parents) + 1).astype(np.int32),
        suffix=_suffixes(key, n_tokens),
        depth=np.concatenate(depth),
    )


def _suffixes(key: NDArray[np.int64], n_tokens: int) -> NDArray[np.int32]:
    """Link each node to its longest proper suffix that is a node, shallow nodes first."""
    n_nodes = len(key) + 1
    parent = np.concatenate(([0], key // n_tokens))
    token = np.concatenate(([0], key % n_tokens))
    suffix = np.zeros(n_nodes, np.int64)
    start, stop = 1, int(np.searchsorted(key, n_tokens)) + 1  # 1-grams: their suffix is the root
    while stop < n_nodes:
        start, stop = stop, int(np.searchsorted(key, stop * n_tokens)) + 1
        open_nodes = np.arange(start, stop)
        context = suffix[parent[start:stop]]
        while open_nodes.size:
            wanted = context * n_tokens + token[open_nodes]
            place = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
            found = key[place] == wanted
            suffix[open_nodes[found]] = place[found] + 1
            goes_on = ~found & (context != 0)
            open_nodes, context = open_nodes[goes_on], suffix[context[goes_on]]
    return suffix.astype(np.int32)
