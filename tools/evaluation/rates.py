"""What an evaluation says beside the verdict: each recording, each decoding, and text a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.speller_validation import wilson_interval
from pipeline.selection import wolpaw_bits
from tools.evaluation.edits import edits, sizes
from tools.evaluation.resampling import Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.evaluation.edits import Unit
    from tools.evaluation.resampling import Interval
    from tools.evaluation.rows import Row

COUNTED = (
    "Wolpaw's bits a selection, at the share of trials that are right (an abstention is wrong),"
    " over the time from each trial's start to its decision or abstention"
)


def score(rows: Sequence[Row], texts: Sequence[str], unit: Unit, *, seed: int) -> dict[str, Any]:
    """Return the error of ``texts`` for the references of ``rows``, both as they are compared.

    The interval is None where a single text or trial has nothing to be drawn from.
    """
    references = [row.reference for row in rows]
    drawn = range(len(rows)) if unit == "selections" else references
    resampling = Resampling(list(drawn), [row.subject for row in rows], seed=seed)
    table = resampling.table(edits(references, texts, unit), sizes(references, unit))
    found = resampling.interval(table)
    ends = list(_ends(found, len(rows), unit)) if resampling.n_texts > 1 else None
    return {"estimate": found.estimate, "interval": ends, "rows": len(rows)}


def _ends(found: Interval, n: int, unit: Unit) -> tuple[float, float]:
    """Return the interval; Wilson's where all selections are right, or all are wrong.

    However often such trials are drawn again, they are as they are, and ten say no less than all.
    """
    if unit == "selections" and found.low == found.high:
        return wilson_interval(round(found.estimate * n), n)
    return found.low, found.high


def by_recording(rows: Sequence[Row], unit: Unit, *, seed: int) -> list[dict[str, Any]]:
    """Return each recording's error by its name, in order."""
    names = dict.fromkeys(row.recording for row in rows)
    parts = {name: [row for row in rows if row.recording == name] for name in names}
    return [
        {"name": name, **score(part, [row.hypothesis for row in part], unit, seed=seed)}
        for name, part in parts.items()
    ]


def by_decoding(rows: Sequence[Row], unit: Unit, *, seed: int) -> dict[str, Any]:
    """Return the error of each decoding; None where it is the bundle's own or cannot be."""
    found: dict[str, Any] = {
        "bundle": score(rows, [row.hypothesis for row in rows], unit, seed=seed)
    }
    for name in ("greedy", "without_lm"):
        texts = [text for row in rows if (text := getattr(row, name)) is not None]
        found[name] = score(rows, texts, unit, seed=seed) if len(texts) == len(rows) else None
    return found


def transfer_rate(rows: Sequence[Row], error: Interval, *, n_symbols: int) -> dict[str, Any]:
    """Return the information transfer rate of selections, and what it counts."""
    spent_min = sum(_spent_s(row) for row in rows) / 60.0
    low, high = _ends(error, len(rows), "selections")
    rates = [
        wolpaw_bits(n_symbols, 1.0 - wrong) * len(rows) / spent_min if spent_min else None
        for wrong in (error.estimate, high, low)
    ]
    return {
        "bits_per_min": rates[0],
        "interval": rates[1:],
        "symbols": n_symbols,
        "seconds_per_selection": 60.0 * spent_min / len(rows),
        "counts": COUNTED,
    }


def pace(rows: Sequence[Row], unit: Unit) -> dict[str, Any]:
    """Return the characters a minute that were written, and those of them that were right.

    Right are the characters of the reference less all edits, so insertions count against them. A
    selection of several characters counts as one. Time is that of the texts alone, or from each
    trial's start to its decision.
    """
    spent_min = sum(_spent_s(row) for row in rows) / 60.0
    if not spent_min:
        return {"characters_per_min": None, "right_characters_per_min": None}
    counted: Unit = "selections" if unit == "selections" else "characters"
    references = [row.reference for row in rows]
    hypotheses = [row.hypothesis for row in rows]
    written = sum(map(bool, hypotheses)) if unit == "selections" else sum(map(len, hypotheses))
    right = sizes(references, counted) - edits(references, hypotheses, counted)
    return {
        "characters_per_min": written / spent_min,
        "right_characters_per_min": float(np.maximum(right, 0).sum()) / spent_min,
    }


def _spent_s(row: Row) -> float:
    return row.duration_s if row.decided_s is None else row.decided_s
