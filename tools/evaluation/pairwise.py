"""Edits of any hypothesis against any text, counted where they are asked for.

A table of all texts by all rows would be 800 MB for ten thousand sentences, and a test asks for a
small part of it at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.edits import cross_edits, edits, in_characters, sizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tools.evaluation.edits import Unit

MOST_CELLS = 1 << 22
"""Numbers of a table that are held at once: 32 MB."""


class Pairwise:
    """Hypotheses, one a row, against the distinct references of all rows.

    Attributes:
        of: of each row, the number of its own text.
        text_sizes: of each distinct text, how many units it has.
    """

    def __init__(self, references: Sequence[str], hypotheses: Sequence[str], unit: Unit) -> None:
        texts, of = np.unique(np.array(references, dtype=object), return_inverse=True)
        self.text_sizes = sizes(texts.tolist(), unit)
        self._row_sizes = sizes(hypotheses, unit)
        self.of: NDArray[np.int64] = of.astype(np.int64)
        # Words are looked up once, not for each table.
        own, other = in_characters(texts.tolist(), hypotheses, unit)
        self._texts, self._hypotheses = (np.array(each, dtype=object) for each in (own, other))
        self._unit: Unit = "characters" if unit == "words" else unit

    def edits(self, texts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the edits (n_texts, n_rows) of these texts and these rows' hypotheses."""
        references, hypotheses = self._texts[texts].tolist(), self._hypotheses[rows].tolist()
        return cross_edits(references, hypotheses, self._unit)

    def apart(self, texts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return by how many units they differ in length (n_texts, n_rows)."""
        found: NDArray[np.int64]
        found = np.abs(self.text_sizes[texts][:, None] - self._row_sizes[rows][None, :])
        return found

    def distances(self, texts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return their edits over the longer of the two (n_texts, n_rows).

        Over the text alone, short texts would always be near.
        """
        longest = np.maximum(self.text_sizes[texts][:, None], self._row_sizes[rows][None, :])
        found: NDArray[np.float64] = self.edits(texts, rows) / np.maximum(longest, 1)
        return found

    def own_edits(self) -> NDArray[np.int64]:
        """Return the edits (n_rows,) of each hypothesis against its own text."""
        return edits(self._texts[self.of].tolist(), self._hypotheses.tolist(), self._unit)

    def own_apart(self) -> NDArray[np.int64]:
        """Return by how many units (n_rows,) each hypothesis differs from its own text."""
        found: NDArray[np.int64] = np.abs(self.text_sizes[self.of] - self._row_sizes)
        return found


def blocks(n_lines: int, *, n_columns: int) -> Iterator[slice]:
    """Yield runs of lines that hold :data:`MOST_CELLS` together, or one line each."""
    n_most = max(1, MOST_CELLS // max(1, n_columns))
    for start in range(0, n_lines, n_most):
        yield slice(start, min(n_lines, start + n_most))
