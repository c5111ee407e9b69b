"""Where a hypothesis stops being believed: it loops, its attention jumps back, others differ.

A sequence-to-sequence decoder that has lost the signal writes on all the same: the same n-gram
again and again, or what it wrote already, over frames it attended to before. What comes after
that is never committed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.seq2seq import Found

LOOPS: Final = 4
"""So many times the same n-gram in a row is a loop; people write double letters and "no no no"."""

LONGEST_GRAM: Final = 16
"""Symbols of the longest n-gram looked for."""

SURE_END: Final = 0.5
"""Probability of the end from which the model says that the text ends."""

UNATTENDED: Final = 0.1
"""Share of its attention below which a symbol does not look at a stretch of the window."""


def n_before_loop(symbols: Sequence[int]) -> int:
    """Return how many symbols there are before the first n-gram of a loop is said again."""
    n_believed = len(symbols)
    for n in range(1, min(LONGEST_GRAM, len(symbols) // LOOPS) + 1):
        n_same = 0  # symbols in a row that are the one n before them
        for k in range(n, min(len(symbols), n_believed + n * (LOOPS - 1))):
            n_same = n_same + 1 if symbols[k] == symbols[k - n] else 0
            if n_same == n * (LOOPS - 1):
                n_believed = min(n_believed, k + 1 - n_same)
                break
    return n_believed


def n_before_jump(places: Sequence[int], *, start: int, most_back: int) -> int:
    """Return how many places there are before one that lies ``most_back`` behind those before.

    ``start`` is the place before the first.
    """
    furthest = start
    for n_believed, place in enumerate(places):
        if place < furthest - most_back:
            return n_believed
        furthest = max(furthest, place)
    return len(places)


def ends_before(frame: int, found: Found) -> bool:
    """Say whether a hypothesis surely ends, and neither its end nor a symbol looks that late.

    There must be such frames: at the end of its window every text ends.
    """
    late = found.attention[:, frame:]
    if not late.shape[1] or found.end_log_p < math.log(SURE_END):
        return False
    return bool((late.sum(axis=1) < UNATTENDED).all())


def n_shared(symbols: Sequence[int], others: Iterable[Sequence[int]]) -> int:
    """Return how many symbols the others all begin with too."""
    n_same = len(symbols)
    for other in others:
        same = [a == b for a, b in zip(symbols, other, strict=False)]
        n_same = min(n_same, same.index(False) if False in same else len(same))
    return n_same
