"""How far a bundle's model may be from its golden vectors: what every bundle is held to."""

from __future__ import annotations

from typing import Literal

Precision = Literal["float32", "float16", "int8", "int4", "mixed"]

LOOSEST: dict[Precision, float] = {
    "float32": 1e-4,
    "float16": 1e-2,
    "int8": 0.01,
    "int4": 0.01,
    "mixed": 0.01,
}
"""Of log-probabilities; below 16 bit the share of outputs with another best symbol."""


def check_tolerance(got: float, precision: Precision) -> None:
    """Refuse a tolerance with which golden vectors would prove nothing.

    Raises:
        ValueError: it is looser than every bundle is held to.
    """
    most = LOOSEST[precision]
    if not 0.0 <= got <= most:
        raise ValueError(f"golden_tolerance: got {got:g}, wanted 0 to {most:g} of {precision}")
