"""What is taken for what: the confusion matrix, figures of each symbol, accuracy beside chance.

Rows of the matrix are what was meant, columns what was written. Its last class is ``""``, nothing:
as a column what was withheld (of sentences: deleted), as a row what was inserted.
"""

from __future__ import annotations

from collections import Counter
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from models.speller_validation import wilson_interval
from pipeline.spec import Settings
from tools.evaluation.figures.couples import NOTHING, SymbolUnit, aligned, couples, margins
from tools.evaluation.figures.curves import precision_recall, roc
from tools.evaluation.pairs import normalise
from tools.evaluation.resampling import Resampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tools.evaluation.figures.couples import Couple
    from tools.evaluation.pairs import Normalisation
    from tools.evaluation.rows import Row

N_DRAWS = 2000


class Cell(Settings, frozen=True, kw_only=True):
    """How often ``meant`` was written as ``written``; ``rate`` is of all times it was meant."""

    meant: str
    written: str
    n: int
    rate: float


class SymbolFigures(Settings, frozen=True, kw_only=True):
    """One symbol against all others; recall is its sensitivity; None is undefined.

    ``support`` is how often it was meant, ``n_written`` how often it was written. ``roc_auc`` and
    ``average_precision`` are of its posterior over all selections.
    """

    symbol: str
    support: int
    n_written: int
    n_right: int
    precision: float | None
    recall: float | None
    f1: float | None
    specificity: float | None
    roc_auc: float | None = None
    average_precision: float | None = None


class Accuracy(Settings, frozen=True, kw_only=True):
    """The share of what was meant that was written, with its 95 % interval.

    Of selections it is Wilson's, and ``chance`` is one over the symbols that could be chosen. Of
    sentences texts and people are drawn, for characters of a sentence are not independent; there
    ``chance`` is None. ``exchanged``: the share if what was written belonged to other rows: of
    selections its expectation, of sentences that of the next longer one (None: there is one only).
    """

    right: int
    total: int
    share: float
    low: float
    high: float
    chance: float | None
    exchanged: float | None


class Confusion(Settings, frozen=True, kw_only=True):
    """The matrix, as its cells that are not 0, and what is made of it.

    ``symbols`` gives the order of rows and columns, ``""`` last. ``mcc`` is Matthews' coefficient
    for many classes, nothing being one of them (Gorodkin 2004). The macro averages are over symbols
    that were meant or written, what is undefined counting as 0.
    """

    unit: SymbolUnit
    symbols: tuple[str, ...]
    cells: tuple[Cell, ...]
    figures: tuple[SymbolFigures, ...]
    accuracy: Accuracy
    mcc: float | None
    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_roc_auc: float | None
    n_withheld: int
    n_inserted: int

    def matrix(self) -> NDArray[np.int64]:
        """Return the counts (n_symbols, n_symbols): what was meant by what was written."""
        place = {symbol: k for k, symbol in enumerate(self.symbols)}
        counts = np.zeros((len(place), len(place)), dtype=np.int64)
        for cell in self.cells:
            counts[place[cell.meant], place[cell.written]] = cell.n
        return counts


def confusion(rows: Sequence[Row], *, how: Normalisation = "basic") -> Confusion | None:
    """Return what is taken for what in ``rows``; None where nothing was meant."""
    unit, by_row = couples(rows, how=how)
    counts = Counter(couple for row in by_row for couple in row)
    meant, written = margins(counts)
    total = sum(meant.values()) - meant[NOTHING]
    if not total:
        return None
    symbols = tuple(sorted((meant | written).keys() - {NOTHING}))
    areas = {s: _areas(rows, s) for s in symbols} if unit == "selections" else {}
    figures = tuple(_figures(s, counts, meant, written, areas.get(s)) for s in symbols)
    aucs = [one.roc_auc for one in figures if one.roc_auc is not None]
    return Confusion(
        unit=unit,
        symbols=(*symbols, NOTHING),
        cells=tuple(
            Cell(meant=a, written=b, n=n, rate=n / meant[a])
            for (a, b), n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ),
        figures=figures,
        accuracy=_accuracy(rows, unit, by_row, how),
        mcc=_mcc(counts, meant, written),
        macro_precision=_mean(one.precision for one in figures),
        macro_recall=_mean(one.recall for one in figures),
        macro_f1=_mean(one.f1 for one in figures),
        macro_roc_auc=sum(aucs) / len(aucs) if aucs else None,
        n_withheld=written[NOTHING],
        n_inserted=meant[NOTHING],
    )


def _figures(
    symbol: str,
    counts: Mapping[Couple, int],
    meant: Mapping[str, int],
    written: Mapping[str, int],
    areas: tuple[float | None, float | None] | None,
) -> SymbolFigures:
    n_all = sum(counts.values())
    tp, support, n_written = counts.get((symbol, symbol), 0), meant[symbol], written[symbol]
    n_wrong, fp = n_all - support, n_written - tp
    roc_auc, average_precision = areas or (None, None)
    return SymbolFigures(
        symbol=symbol,
        support=support,
        n_written=n_written,
        n_right=tp,
        precision=tp / n_written if n_written else None,
        recall=tp / support if support else None,
        f1=2 * tp / (support + n_written),
        specificity=(n_wrong - fp) / n_wrong if n_wrong else None,
        roc_auc=roc_auc,
        average_precision=average_precision,
    )


def _areas(rows: Sequence[Row], symbol: str) -> tuple[float | None, float | None]:
    """Return the areas under the curves of one symbol's posterior, over rows that have one."""
    told = [row for row in rows if row.posteriors]
    scores = np.array([(row.posteriors or {}).get(symbol, 0.0) for row in told])
    is_meant = np.array([row.reference == symbol for row in told], dtype=np.bool_)
    curves = roc(is_meant, scores), precision_recall(is_meant, scores)
    one, other = (None if curve is None else curve.area for curve in curves)
    return one, other


def _accuracy(
    rows: Sequence[Row],
    unit: SymbolUnit,
    by_row: Sequence[Sequence[Couple]],
    how: Normalisation,
) -> Accuracy:
    right = np.array([sum(a == b != NOTHING for a, b in row) for row in by_row], dtype=np.int64)
    sizes = np.array([sum(a != NOTHING for a, _ in row) for row in by_row], dtype=np.int64)
    n_right, n = int(right.sum()), int(sizes.sum())
    chance: float | None = None
    exchanged: float | None
    if unit == "selections":
        low, high = wilson_interval(n_right, n)
        n_choices = len({symbol for row in rows for symbol in row.posteriors or ()})
        chance = 1 / (n_choices or len({row.reference for row in rows}))
        exchanged = _expected([row.reference for row in rows], [row.hypothesis for row in rows])
    else:
        texts = [normalise(row.reference, how) for row in rows]
        people = [row.subject for row in rows]
        drawn = Resampling(texts, people, n_draws=N_DRAWS)
        interval = drawn.interval(drawn.table(right, sizes))
        low, high = interval.low, interval.high
        exchanged = _exchanged(texts, [normalise(row.hypothesis, how) for row in rows])
    return Accuracy(
        right=n_right,
        total=n,
        share=n_right / n,
        low=low,
        high=high,
        chance=chance,
        exchanged=exchanged,
    )


def _expected(meant: Sequence[str], written: Sequence[str]) -> float:
    """Return how often they would agree if they were paired at random."""
    one, other = Counter(meant), Counter(written)
    return sum(n * other[symbol] for symbol, n in one.items()) / len(meant) ** 2


def _exchanged(meant: Sequence[str], written: Sequence[str]) -> float | None:
    """Return the share right if what was written belonged to the next longer text."""
    by_text: dict[str, list[str]] = {}
    for text, found in sorted(zip(meant, written, strict=True), key=lambda both: len(both[0])):
        by_text.setdefault(text, []).append(found)
    texts = list(by_text)
    if len(texts) < 2:
        return None
    n_right = n = 0
    for text, following in zip(texts, [*texts[1:], texts[0]], strict=True):
        others = by_text[following]
        for k in range(len(by_text[text])):
            n_right += sum(a == b != NOTHING for a, b in aligned(text, others[k % len(others)]))
            n += len(text)
    return n_right / n


def _mcc(
    counts: Mapping[Couple, int], meant: Mapping[str, int], written: Mapping[str, int]
) -> float | None:
    n = sum(counts.values())
    right = sum(k for (a, b), k in counts.items() if a == b)
    both = sum(k * written.get(symbol, 0) for symbol, k in meant.items())
    left = n * n - sum(k * k for k in meant.values())
    other = n * n - sum(k * k for k in written.values())
    return (right * n - both) / sqrt(left * other) if left and other else None


def _mean(values: Iterable[float | None]) -> float:
    found = [value or 0.0 for value in values]
    return sum(found) / len(found)
