"""Weights as whole numbers: one scale a column at 8 bits, and one more for every 32 rows at 4.

What multiplies is always int8. A 4-bit weight is stored as a number from -7 to 7 and a factor of 1
to 18 that the 32 weights of a group share; their product, of at most 126, is the int8 weight. ONNX
Runtime computes it once, when the model is opened: 4 bits make a file smaller, never a call slower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUP = 32
"""Rows that share a factor: 4.25 bits a weight."""

MOST_8, MOST_4, MOST_FACTOR = 127, 7, 18

SMALLEST = 1e-12
"""Scale of a column of zeros."""


@dataclass(frozen=True, slots=True)
class Rounded:
    """Weights (K, N) as ``numbers`` int8, each times the ``scale`` (N,) float32 of its column.

    At 4 bits ``numbers`` (G, 32, N) are -7 to 7, K filled up to whole groups, and ``factors``
    (G, 1, N) int8; else ``factors`` is None and ``numbers`` (K, N).
    """

    numbers: NDArray[np.int8]
    scale: NDArray[np.float32]
    factors: NDArray[np.int8] | None = None
    n_rows: int = 0

    def products(self) -> NDArray[np.int8]:
        """Return the int8 weights (K, N) that multiply."""
        if self.factors is None:
            return self.numbers
        whole = self.numbers * self.factors  # (G, 32, N), at most 126
        return whole.reshape(-1, whole.shape[2])[: self.n_rows]

    def weights(self) -> NDArray[np.float32]:
        """Return what they stand for, (K, N)."""
        return self.products().astype(np.float32) * self.scale


def round_8(weights: NDArray[np.float32]) -> Rounded:
    """Return ``weights`` (K, N) rounded to 8 bits."""
    scale = np.maximum(np.abs(weights).max(axis=0) / MOST_8, SMALLEST).astype(np.float32)
    numbers = np.clip(np.rint(weights / scale), -MOST_8, MOST_8).astype(np.int8)
    return Rounded(numbers, scale)


def round_4(weights: NDArray[np.float32]) -> Rounded:
    """Return ``weights`` (K, N) rounded to 4 bits; of every group the factor that is off least."""
    n_rows, n_columns = weights.shape
    n_groups = -(-n_rows // GROUP)
    filled = np.zeros((n_groups * GROUP, n_columns), np.float32)
    filled[:n_rows] = weights
    groups = filled.reshape(n_groups, GROUP, n_columns)  # (G, 32, N)
    largest = np.abs(groups).max(axis=1, keepdims=True)  # (G, 1, N)
    scale = largest.max(axis=0) / (MOST_4 * MOST_FACTOR)  # (1, N)
    scale = np.maximum(scale, SMALLEST).astype(np.float32)
    whole = groups / scale  # (G, 32, N), at most 126
    covering = np.ceil(np.abs(whole).max(axis=1, keepdims=True) / MOST_4 - 1e-6)  # (G, 1, N)
    best = np.full(largest.shape, np.inf, np.float32)
    factors = np.ones(largest.shape, np.float32)
    for share in (1.0, 0.9, 0.8, 0.7, 0.6):  # a smaller factor clips a few and rounds all finer
        factor = np.clip(np.rint(covering * share), 1, MOST_FACTOR).astype(np.float32)
        off = whole - factor * np.clip(np.rint(whole / factor), -MOST_4, MOST_4)
        squared = (off * off).sum(axis=1, keepdims=True)  # (G, 1, N)
        factors = np.where(squared < best, factor, factors)
        best = np.minimum(squared, best)
    numbers = np.clip(np.rint(whole / factors), -MOST_4, MOST_4).astype(np.int8)
    return Rounded(numbers, scale[0], factors.astype(np.int8), n_rows)
