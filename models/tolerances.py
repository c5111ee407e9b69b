"""How far a bundle's model may be from its golden vectors: what every bundle is held to."""

from __future__ import annotations

from typing import Literal, get_args

Precision = Literal["float32", "float16", "int8", "int4", "mixed"]

DIFFERENCES = {"float32": 1e-4, "float16": 1e-2}
"""Of log-probabilities, where the model computes as its network does."""

OTHERS = 0.01
"""Share of outputs with another best symbol, where weights are whole numbers."""

LOOSEST: dict[Precision, float] = {
    precision: DIFFERENCES.get(precision, OTHERS) for precision in get_args(Precision)
}


def check_tolerance(got: float, precision: Precision) -> None:
    """Refuse a tolerance with which golden vectors would prove nothing.

    Raises:
        ValueError: it is looser than every bundle is held to.
    """
    most = LOOSEST[precision]
    if not 0.0 <= got <= most:
        raise ValueError(f"golden_tolerance: got {got:g}, wanted 0 to {most:g} of {precision}")
