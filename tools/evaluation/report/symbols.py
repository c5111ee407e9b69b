"""Sections on symbols: what is taken for what, and how common and rare ones are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.figures.confusion import confusion
from tools.evaluation.figures.couples import NOTHING
from tools.evaluation.figures.frequency_groups import frequency_groups
from tools.evaluation.report.charts import UNIT, Chart, Heat, Series
from tools.evaluation.report.measured import judged
from tools.evaluation.report.parts import (
    Line,
    Note,
    Part,
    Section,
    Strip,
    Strips,
    Table,
    number,
    text,
)
from tools.evaluation.report.verdict import chance_of

if TYPE_CHECKING:
    from tools.evaluation.figures.confusion import Confusion
    from tools.evaluation.figures.frequency_groups import FrequencyGroups
    from tools.evaluation.report.charts import Colour
    from tools.evaluation.report.data import Folder

MOST_SYMBOLS = 40
COLOURS: tuple[Colour, ...] = ("eeg", "noise", "text")


def symbols(folder: Folder) -> Section | None:
    """Return what is taken for what; not of words, for there are too many to show."""
    rows = judged(folder)
    if folder.unit == "words" or not rows:
        return None
    found = confusion(rows, how=folder.evaluation.normalise)
    if found is None:
        return None
    accuracy = found.accuracy
    beside = [
        f"{name} {value:.1%}"
        for name, value in (("chance", accuracy.chance), ("exchanged", accuracy.exchanged))
        if value is not None
    ]
    method = "Wilson's 95 % interval" if found.unit == "selections" else "95 % interval"
    summed = (
        f"{accuracy.right} of {accuracy.total} right: {accuracy.share:.1%}"
        f" ({method}: {accuracy.low:.1%} to {accuracy.high:.1%})"
        + (f", beside {' and '.join(beside)}" if beside else "")
        + f". Mean over symbols: precision {found.macro_precision:.3f}, recall"
        f" {found.macro_recall:.3f}, F1 {found.macro_f1:.3f}"
        + ("." if found.mcc is None else f"; Matthews' coefficient {found.mcc:.3f}.")
        + (f" Withheld: {found.n_withheld}." if found.n_withheld else "")
        + (f" Inserted: {found.n_inserted}." if found.n_inserted else "")
    )
    what = "symbol" if found.unit == "selections" else found.unit[:-1]
    return Section(
        "What is taken for what",
        f"A row is the {what} that was meant, a column the one that was written; a dark diagonal is"
        " right, a dark cell beside it is a pair that is mistaken for each other.",
        [Note(summed), _heat(found), _pairs(found), _by_symbol(found)],
    )


def _heat(found: Confusion) -> Heat:
    order = list(found.symbols)
    counts = found.matrix()
    note = ""
    if len(order) > MOST_SYMBOLS:
        often = np.argsort(-(counts.sum(axis=0) + counts.sum(axis=1)), kind="stable")
        places = np.sort(often[:MOST_SYMBOLS])
        counts, order = counts[np.ix_(places, places)], [order[k] for k in places]
        note = f", the {MOST_SYMBOLS} most frequent of {len(found.symbols)}"
    rows = [k for k, name in enumerate(order) if name != NOTHING or counts[k].any()]
    columns = [k for k, name in enumerate(order) if name != NOTHING or counts[:, k].any()]
    return Heat(
        caption=f"Confusion matrix{note}; shade: share of the row",
        alt=f"{int(np.trace(counts))} of {int(counts.sum())} counts lie on the diagonal",
        rows=tuple(_shown(order[k]) for k in rows),
        columns=tuple(_shown(order[k]) for k in columns),
        counts=[[int(counts[row, column]) for column in columns] for row in rows],
    )


def _shown(symbol: str) -> str:
    if symbol == NOTHING:
        return "∅"
    return "␣" if symbol == " " else symbol if len(symbol) <= 12 else symbol[:11] + "…"


def _pairs(found: Confusion) -> Table | Note:
    wrong = [cell for cell in found.cells if cell.meant != cell.written][:10]
    if not wrong:
        return Note("Nothing was taken for anything else.")
    return Table(
        "Most frequent confusions (∅: nothing)",
        ("meant", "written", "times", "of all times it was meant"),
        [
            (
                text(_shown(c.meant)),
                text(_shown(c.written)),
                number(c.n, "d"),
                number(c.rate, ".1%"),
            )
            for c in wrong
        ],
    )


def _by_symbol(found: Confusion) -> Table:
    worst = sorted(found.figures, key=lambda one: (one.f1 is None, one.f1 or 0.0))
    has_areas = any(one.roc_auc is not None for one in worst)
    rows = []
    for one in worst[:MOST_SYMBOLS]:
        row = [
            text(_shown(one.symbol)),
            number(one.support, "d"),
            number(one.n_written, "d"),
            number(one.n_right, "d"),
            number(one.precision),
            number(one.recall),
            number(one.f1),
        ]
        rows.append([*row, *([number(one.roc_auc)] if has_areas else [])])
    n_more = len(worst) - len(rows)
    return Table(
        "Each symbol, the worst first" + (f" ({n_more} more are not shown)" if n_more else ""),
        ("symbol", "meant", "written", "right", "precision", "recall", "F1")
        + (("area under ROC",) if has_areas else ()),
        rows,
        is_folded=True,
    )


def frequencies(folder: Folder) -> Section | None:
    """Return how common, less common and rare symbols are read."""
    rows, in_words = judged(folder), folder.unit == "words"
    if not rows:
        return None
    found = frequency_groups(
        rows,
        trained=folder.evaluation.trained_symbols,
        how=folder.evaluation.normalise,
        in_words=in_words,
    )
    if found is None or len(found.groups) < 2:
        return None
    what = {"selections": "symbols"}.get(found.unit, found.unit)
    chance = chance_of(folder)
    strips = [
        Strip(
            f"{group.name} ({group.n_symbols} {what})",
            group.recall,
            group.recall_interval,
            kind="eeg",
            cells=(
                f"{group.share:.1%}",
                str(group.support),
                "" if group.precision is None else f"{group.precision:.3f}",
                "" if group.f1 is None else f"{group.f1:.3f}",
            ),
        )
        for group in found.groups
        if group.recall is not None
    ]
    parts: list[Part] = [
        Strips(
            "Share of what was meant that was written",
            "recall",
            (("", strips),),
            columns=("of all occurrences", "meant", "precision", "F1"),
            lines=() if chance is None else (Line(1 - chance, "chance"),),
            first="group",
        ),
        *_group_curves(found),
    ]
    if found.note:
        parts.append(Note(found.note[0].upper() + found.note[1:] + "."))
    return Section(
        f"Common and rare {what}",
        "Head, medium and tail are the most common, less common and rare third of the"
        f" {found.counted_in}; a tail far below the head means that habit helps more than EEG.",
        parts,
    )


def _group_curves(found: FrequencyGroups) -> list[Chart]:
    """Return precision over recall by group, of each symbol's posterior against all others."""
    named = [(one, one.precision_recall) for one in found.groups]
    drawn = [(one.name, curve) for one, curve in named if curve is not None]
    if not drawn:
        return []
    return [
        Chart(
            caption="Precision and recall, each symbol against all others",
            alt="; ".join(f"{name}: average precision {curve.area:.3f}" for name, curve in drawn),
            x_axis="recall",
            y_axis="precision",
            x=UNIT,
            y=UNIT,
            series=[
                Series(
                    f"{name} ({curve.area:.3f}, chance {curve.chance:.3f})",
                    list(zip(curve.x, curve.y, strict=True)),
                    "steps",
                    colour,
                )
                for (name, curve), colour in zip(drawn, COLOURS, strict=False)
            ],
        )
    ]
