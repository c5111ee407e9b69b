"""What was meant beside what was written, symbol by symbol; ``""`` is nothing.

Of selections each row is one couple, and one whose second is nothing was withheld. Sentences are
aligned with the fewest edits: a couple whose first is nothing was inserted, one whose second is
nothing was deleted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from rapidfuzz.distance import Levenshtein

from tools.evaluation.figures.decisions import are_selections
from tools.evaluation.pairs import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tools.evaluation.pairs import Normalisation
    from tools.evaluation.rows import Row

Couple = tuple[str, str]
"""What was meant, what was written."""

SymbolUnit = Literal["selections", "characters", "words"]

NOTHING = ""


def couples(
    rows: Sequence[Row], *, how: Normalisation = "basic", in_words: bool = False
) -> tuple[SymbolUnit, list[list[Couple]]]:
    """Return the unit and the couples of each row.

    Selections are never normalised: their symbols are what they are. ``in_words`` cuts sentences
    into words, not characters.
    """
    if are_selections(rows):
        return "selections", [[(row.reference, row.hypothesis)] for row in rows]
    texts = [(normalise(row.reference, how), normalise(row.hypothesis, how)) for row in rows]
    if in_words:
        return "words", [aligned(meant.split(), written.split()) for meant, written in texts]
    return "characters", [aligned(meant, written) for meant, written in texts]


def aligned(meant: Sequence[str], written: Sequence[str]) -> list[Couple]:
    """Return an alignment with the fewest edits, in order."""
    found: list[Couple] = []
    for step in Levenshtein.opcodes(meant, written):
        left = meant[step.src_start : step.src_end]
        right = written[step.dest_start : step.dest_end]
        if step.tag == "insert":
            found += [(NOTHING, symbol) for symbol in right]
        elif step.tag == "delete":
            found += [(symbol, NOTHING) for symbol in left]
        else:
            found += zip(left, right, strict=True)
    return found


def counts_by_symbol(found: Iterable[Couple]) -> dict[str, tuple[int, int, int]]:
    """Return how often each symbol was meant, written, and written where it was meant."""
    counts = Counter(found)
    meant, written = margins(counts)
    symbols = sorted((meant | written).keys() - {NOTHING})
    return {s: (meant[s], written[s], counts[s, s]) for s in symbols}


def margins(counts: Mapping[Couple, int]) -> tuple[Counter[str], Counter[str]]:
    """Return how often each symbol, and nothing, was meant and was written."""
    meant, written = Counter[str](), Counter[str]()
    for (a, b), n in counts.items():
        meant[a] += n
        written[b] += n
    return meant, written
