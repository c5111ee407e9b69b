"""How many bits each layer gets: where the fewest nats are lost for the bytes that are saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.quantization.product import Bits

CHOICES: tuple[Bits, ...] = (16, 8, 4)

BYTES = {16: 2.0, 8: 1.0, 4: 4.25 / 8}
"""Of a weight: at 4 bits 32 weights share a factor of 8 bits."""

N_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A layer's weights, and the nats lost by it alone at each number of bits."""

    n_weights: int
    nats: Mapping[Bits, float]


def choose_bits(layers: Mapping[str, Sensitivity], *, most_bytes: float) -> dict[str, Bits]:
    """Return the bits of each layer by name, all weights in ``most_bytes``, nats lost least.

    Losses are taken to add up. A price for a byte is found at which the best choice of every layer
    by itself just fits. What cannot fit is 4 bits throughout.
    """

    def at(price: float) -> dict[str, Bits]:
        return {
            name: min(CHOICES, key=lambda bits: max(one.nats[bits], 0.0) + price * _size(one, bits))
            for name, one in layers.items()
        }

    dear = 1.0
    while n_bytes(layers, at(dear)) > most_bytes and dear < 1e12:
        dear *= 10.0
    cheap = 0.0
    for _ in range(N_HALVINGS):
        price = (cheap + dear) / 2
        if n_bytes(layers, at(price)) > most_bytes:
            cheap = price
        else:
            dear = price
    return at(dear)


def n_bytes(layers: Mapping[str, Sensitivity], bits: Mapping[str, Bits]) -> float:
    """Return the bytes of all weights."""
    return sum(_size(one, bits[name]) for name, one in layers.items())


def _size(one: Sensitivity, bits: Bits) -> float:
    return BYTES[bits] * one.n_weights
