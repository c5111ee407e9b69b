"""Plain tables of measured values, the tails first in mind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

PERCENTILES = (50.0, 95.0, 99.0, 99.9)
COLUMNS = ("p50", "p95", "p99", "p99.9", "max", "n")


def spread(values: ArrayLike) -> dict[str, float | int | None]:
    """Return percentiles, maximum and count of the finite ``values``; None where there are none."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return dict.fromkeys(COLUMNS[:-1]) | {"n": 0}
    marks = np.percentile(finite, PERCENTILES)
    return {
        **{f"p{p:g}": float(v) for p, v in zip(PERCENTILES, marks, strict=True)},
        "max": float(finite.max()),
        "n": len(finite),
    }


def table(rows: Sequence[Sequence[object]], *, header: Sequence[str]) -> str:
    """Return rows under a header: the first column left, numbers right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    lines = [_line(list(header), widths), "  ".join("-" * width for width in widths)]
    return "\n".join(lines + [_line(row, widths) for row in cells])


def spread_table(
    spreads: Mapping[str, Mapping[str, float | int | None]], *, title: str, unit: str
) -> str:
    """Return one row of percentiles for each named spread."""
    rows = [[name, *(found.get(column) for column in COLUMNS)] for name, found in spreads.items()]
    return table(rows, header=(f"{title} ({unit})", *COLUMNS))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return (
            f"{value:.3f}"
            if abs(value) < 10
            else f"{value:.2f}"
            if value < 1000
            else f"{value:.0f}"
        )
    return str(value)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join((first, *rest)).rstrip()
