"""What one operator of an ONNX graph has to compute: a multiplication and an addition are two.

Counted are products, convolutions and recurrent layers, without their biases: what torch's own
counter counts, so the two can be held against each other. Sums, norms and functions are not; they
cost memory traffic rather than arithmetic, and their time is measured.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from onnx import helper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Shapes = Mapping[str, tuple[int, ...]]

NOT_COUNTED = frozenset({"Attention", "DFT", "Einsum", "If", "Loop", "MultiHeadAttention", "Scan"})
"""Operators that do compute products, which nothing here counts: a table has to say so."""


def flops_of(node: Any, shapes: Shapes) -> int:
    """Return the operations of a node (NodeProto); 0 of one that is not counted.

    ``shapes`` are of every tensor that it reads or gives.
    """
    count = _COUNTS.get(node.op_type)
    return count(node, shapes) if count is not None else 0


def _product(node: Any, shapes: Shapes) -> int:
    """Count a product: each number it gives is a sum over what both factors share."""
    shared = -2 if _attribute(node, "transA", 0) else -1
    return 2 * prod(shapes[node.output[0]]) * shapes[node.input[0]][shared]


def _packed_product(node: Any, shapes: Shapes) -> int:
    return int(2 * prod(shapes[node.output[0]]) * _attribute(node, "K", 0))


def _convolution(weights: int) -> Callable[[Any, Shapes], int]:
    """Return the count of a convolution whose weights are the input of that number."""

    def count(node: Any, shapes: Shapes) -> int:
        n_batch, _, *places = shapes[node.output[0]]
        return 2 * n_batch * prod(places) * prod(shapes[node.input[weights]])

    return count


def _transposed(node: Any, shapes: Shapes) -> int:
    n_batch, _, *places = shapes[node.input[0]]
    return 2 * n_batch * prod(places) * prod(shapes[node.input[1]])


def _recurrent(node: Any, shapes: Shapes) -> int:
    """Count the products of every frame: with its inputs, and with the hidden values before it."""
    first, second, _ = shapes[node.input[0]]  # frames and batch, in either order
    return 2 * first * second * (prod(shapes[node.input[1]]) + prod(shapes[node.input[2]]))


def _attribute(node: Any, name: str, default: int) -> int:
    found = [helper.get_attribute_value(a) for a in node.attribute if a.name == name]
    return int(found[0]) if found else default


_COUNTS: dict[str, Callable[[Any, Shapes], int]] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "ConvTranspose": _transposed,
    "DynamicQuantizeLSTM": _recurrent,
    "DynamicQuantizeMatMul": _product,
    "FusedConv": _convolution(1),
    "FusedGemm": _product,
    "FusedMatMul": _product,
    "GRU": _recurrent,
    "Gemm": _product,
    "LSTM": _recurrent,
    "MatMul": _product,
    "MatMulInteger": _product,
    "MatMulIntegerToFloat": _product,
    "MatMulNBits": _packed_product,
    "QLinearConv": _convolution(3),
    "QLinearMatMul": _product,
    "RNN": _recurrent,
}

RECURRENT = frozenset({"DynamicQuantizeLSTM", "GRU", "LSTM", "RNN"})
