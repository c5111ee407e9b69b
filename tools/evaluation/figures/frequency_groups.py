"""How well common, less common and rare symbols are read: head, medium and tail.

Symbols are counted in the training's texts where those are given, else in the references. By
default head, medium and tail each hold about a third of all occurrences. A symbol is never in a
more common group than one that occurs more often, and equally common ones are in one group.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import numpy as np

from models.speller_validation import wilson_interval
from pipeline.spec import Settings
from tools.evaluation.figures.couples import NOTHING, SymbolUnit, couples
from tools.evaluation.figures.curves import Curve, precision_recall

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tools.evaluation.figures.couples import Couple
    from tools.evaluation.pairs import Normalisation
    from tools.evaluation.rows import Row

GroupName = Literal["head", "medium", "tail"]
GROUPS: tuple[GroupName, ...] = ("head", "medium", "tail")


class SymbolShare(Settings, frozen=True, kw_only=True):
    """How common one symbol is: ``n`` and ``share`` where it is counted, and in the references."""

    symbol: str
    group: GroupName
    n: int
    share: float
    n_references: int


class Group(Settings, frozen=True, kw_only=True):
    """Figures of all symbols of a group together (micro averages); None is undefined.

    ``recall`` is the share of the group's ``support`` in the references that was written, with
    Wilson's 95 % interval for selections (characters of a sentence are not independent);
    ``macro_recall`` the mean over symbols that occur. ``precision_recall`` is of each symbol's
    posterior against all others, for selections only.
    """

    name: GroupName
    n_symbols: int
    share: float
    support: int
    n_written: int
    precision: float | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    macro_recall: float | None
    f1: float | None
    precision_recall: Curve | None


class FrequencyGroups(Settings, frozen=True, kw_only=True):
    """The groups that hold a symbol, and all symbols from the most common on.

    ``note`` says what cannot be read from it, "" if nothing.
    """

    unit: SymbolUnit
    counted_in: Literal["training", "references"]
    groups: tuple[Group, ...]
    distribution: tuple[SymbolShare, ...]
    note: str


def symbol_counts(texts: Iterable[str], *, in_words: bool = False) -> Counter[str]:
    """Return how often each character, or word, occurs in ``texts``, normalised already."""
    return Counter(symbol for text in texts for symbol in (text.split() if in_words else text))


def frequency_groups(
    rows: Sequence[Row],
    *,
    trained: Mapping[str, int] | None = None,
    how: Normalisation = "basic",
    in_words: bool = False,
    at_least: tuple[int, int] | None = None,
) -> FrequencyGroups | None:
    """Return figures by how common symbols are; None where nothing was meant.

    Args:
        rows: what was decoded.
        trained: how often each symbol occurs in training.
        how: sentences are compared.
        in_words: cut sentences into words.
        at_least: occurrences that make a symbol head, and medium; None for thirds.
    """
    unit, by_row = couples(rows, how=how, in_words=in_words)
    found = [couple for row in by_row for couple in row]
    meant = Counter(a for a, _ in found if a != NOTHING)
    if not meant:
        return None
    counts = {symbol: (trained or meant).get(symbol, 0) for symbol in _symbols(rows, found)}
    counts |= dict(trained or {})
    groups = grouped(counts, at_least=at_least)
    total = max(sum(counts.values()), 1)
    return FrequencyGroups(
        unit=unit,
        counted_in="training" if trained else "references",
        groups=tuple(
            _group(name, [s for s in groups if groups[s] == name], found, counts, rows)
            for name in GROUPS
            if name in groups.values()
        ),
        distribution=tuple(
            SymbolShare(
                symbol=symbol,
                group=groups[symbol],
                n=counts[symbol],
                share=counts[symbol] / total,
                n_references=meant[symbol],
            )
            for symbol in groups
        ),
        note=_note(counts, unit, trained),
    )


def grouped(
    counts: Mapping[str, int], *, at_least: tuple[int, int] | None = None
) -> dict[str, GroupName]:
    """Return the group of each symbol, from the most common on.

    By thirds, equally common symbols belong where the share of all more common ones falls.
    """
    total = sum(counts.values())
    found: dict[str, GroupName] = {}
    name: GroupName
    before = 0
    ordered = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    for n, equal in groupby(ordered, key=counts.__getitem__):
        symbols = list(equal)
        if at_least is not None:
            name = "head" if n >= at_least[0] else "medium" if n >= at_least[1] else "tail"
        else:
            name = GROUPS[min(2, 3 * before // total if total else 0)]
        found |= dict.fromkeys(symbols, name)
        before += n * len(symbols)
    return found


def _symbols(rows: Sequence[Row], found: Iterable[Couple]) -> set[str]:
    """Return all that were meant, written, or could have been."""
    told = {symbol for couple in found for symbol in couple} - {NOTHING}
    return told | {symbol for row in rows for symbol in row.posteriors or ()}


def _group(
    name: GroupName,
    symbols: Sequence[str],
    found: Sequence[Couple],
    counts: Mapping[str, int],
    rows: Sequence[Row],
) -> Group:
    members = frozenset(symbols)
    meant = Counter(a for a, _ in found if a in members)
    right = Counter(a for a, b in found if a == b and a in members)
    n_written = sum(b in members for _, b in found)
    support, n_right = meant.total(), right.total()
    recalls = [right[symbol] / n for symbol, n in meant.items()]
    is_selection = any(row.posteriors for row in rows)
    return Group(
        name=name,
        n_symbols=len(symbols),
        share=sum(counts[symbol] for symbol in symbols) / max(sum(counts.values()), 1),
        support=support,
        n_written=n_written,
        precision=n_right / n_written if n_written else None,
        recall=n_right / support if support else None,
        recall_interval=wilson_interval(n_right, support) if support and is_selection else None,
        macro_recall=sum(recalls) / len(recalls) if recalls else None,
        f1=2 * n_right / (support + n_written) if support + n_written else None,
        precision_recall=_one_against_rest(rows, symbols) if is_selection else None,
    )


def _one_against_rest(rows: Sequence[Row], symbols: Sequence[str]) -> Curve | None:
    told = [row for row in rows if row.posteriors]
    scores = np.array([(row.posteriors or {}).get(s, 0.0) for row in told for s in symbols])
    is_meant = np.array([row.reference == s for row in told for s in symbols], dtype=np.bool_)
    return precision_recall(is_meant, scores)


def _note(counts: Mapping[str, int], unit: SymbolUnit, trained: Mapping[str, int] | None) -> str:
    notes = []
    if len(set(counts.values())) == 1:
        notes.append("all symbols are equally common, so the groups tell nothing")
    if not trained:
        notes.append("counted in the references, for the training's texts are not known")
    if unit != "selections":
        notes.append("texts have no posteriors, so there is no precision-recall curve")
    return "; ".join(notes)
