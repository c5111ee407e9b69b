"""Whether another form of a model gives what the model gives: on windows, states carried along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import EegscribeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.model import Model

TOLERANCES = {"float32": 1e-4, "float16": 1e-2}
"""Largest difference of a probability, or of a memory as a share of it where it is above 1."""

LEAST_AGREEMENT = 0.99
"""Share of rows whose best symbol must be the same; where the best two are told apart at all."""


class ParityError(EegscribeError):
    """The other form does not give what the model gives."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two forms were apart over ``n_windows``, and what was allowed."""

    n_windows: int
    difference: float
    agreement: float
    tolerance: float


def compare(
    wanted: NDArray[np.float32],
    got: NDArray[np.float32],
    *,
    tolerance: float,
    is_memory: bool,
    where: str,
) -> Parity:
    """Return how far outputs (n_windows, n_rows, n_columns) are apart.

    Args:
        wanted: of the model.
        got: of its other form.
        tolerance: see :data:`TOLERANCES`.
        is_memory: of an encoder: any numbers, no logs.
        where: what is told of, in the error.

    Raises:
        ParityError: by more than is allowed.
    """
    if is_memory:
        difference = np.abs(got - wanted) / np.maximum(1.0, np.abs(wanted))
        agreement = 1.0
    else:
        difference = np.abs(_probabilities(got) - _probabilities(wanted))
        agreement = _agreement(wanted, got, tolerance)
    worst = float(difference.max())
    if not (worst <= tolerance and agreement >= LEAST_AGREEMENT):
        raise ParityError(
            f"{where}: differs by {worst:.3g} from the model on {len(wanted)} windows and has the"
            f" same best symbol on {agreement:.1%} of rows, wanted at most {tolerance:g} and at"
            f" least {LEAST_AGREEMENT:.0%}; nothing was written"
        )
    return Parity(len(wanted), worst, agreement, tolerance)


def outputs(model: Model, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a model gives for successive windows, from a fresh state."""
    model.reset()
    found = np.stack([model.run(window).copy() for window in windows])
    model.reset()
    return found


def _probabilities(logs: NDArray[np.float32]) -> NDArray[np.float64]:
    x = logs.astype(np.float64)
    if x.shape[-1] == 1:
        return np.asarray(1.0 / (1.0 + np.exp(-x)))
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _agreement(wanted: NDArray[np.float32], got: NDArray[np.float32], tolerance: float) -> float:
    """Return the share of rows with the same best symbol, of those whose best two are apart."""
    if wanted.shape[-1] == 1:
        return 1.0
    p = np.sort(_probabilities(wanted), axis=-1)
    is_clear = p[..., -1] - p[..., -2] > 2 * tolerance
    same = wanted.argmax(axis=-1) == got.argmax(axis=-1)
    return float(same[is_clear].mean()) if is_clear.any() else 1.0
