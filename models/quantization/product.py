"""A product with constant weights, in whole numbers: the part that all rewritten layers share.

What comes in is rounded to 8 bits by a range known beforehand, or row by row and frame by frame by
the largest value in it. Never by one scale for all of a call: a loud row would change its
neighbours. Sums of whole numbers are exact in any order, so a row gives the same bits whatever
stands beside it.

Weights are uint8 around 128. As int8 they would be a few percent faster where the processor has
VNNI, and where it has not, ONNX Runtime's kernel adds pairs of products in 16 bits, which are then
cut off without a word: the same bundle would read worse on an older machine.

MatMulInteger is standard ONNX; MatMulIntegerToFloat is an operator of ONNX Runtime's own
(com.microsoft), the same product with its scale and bias in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.quantization.graph import MICROSOFT
from models.quantization.rounding import Rounded, round_4, round_8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from onnx import NodeProto

    from models.quantization.graph import Graph

Bits = Literal[4, 8, 16, 32]
"""Of a layer's weights. At 16 they are stored so, and it computes in float32; 32: left as it is."""

FLOAT, UINT8 = 1, 2  # of onnx.TensorProto
N_STEPS = 255
MIDDLE = 128


@dataclass(frozen=True, slots=True)
class Range:
    """What values a layer is given, as far as they count: rounded to 255 steps, clipped outside."""

    low: float
    high: float

    def scale(self) -> float:
        """Return the size of a step."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        return max((high - low) / N_STEPS, 1e-12)

    def zero(self) -> int:
        """Return the number that stands for 0."""
        return round(-min(self.low, 0.0) / self.scale())


HIDDEN = Range(-MIDDLE / 127, 1.0)
"""Of a recurrent layer's hidden values, which are in (-1, 1) by nature."""


class Builder:
    """Collects the nodes that stand for one layer; each method returns the name of its output."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[NodeProto] = []

    def op(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output."""
        return self.ops(op_type, *inputs, n_outputs=1, domain=domain, **attributes)[0]

    def ops(
        self, op_type: str, *inputs: str, n_outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node of several outputs."""
        node, names = self.graph.node(
            op_type, inputs, n_outputs=n_outputs, domain=domain, **attributes
        )
        self.nodes.append(node)
        return names

    def give(self, name: str, *, as_name: str) -> None:
        """Call the tensor ``name`` what the rest of the graph knows it by."""
        node, _ = self.graph.node("Identity", [name], outputs=[as_name])
        self.nodes.append(node)

    def floats(self, values: NDArray[np.float32] | float) -> str:
        """Add a constant of float32."""
        return self.graph.constant(np.asarray(values, dtype=np.float32))

    def integers(self, values: Sequence[int]) -> str:
        """Add a constant of int64: a shape, sizes, axes."""
        return self.graph.constant(np.array(values, dtype=np.int64))

    def weights(self, rounded: Rounded) -> str:
        """Add weights as uint8; those of 4 bits are unfolded when the model is opened."""
        if rounded.factors is None:
            around = rounded.numbers.astype(np.int16) + MIDDLE
            return self.graph.constant(around.astype(np.uint8))
        numbers = self.op("Cast", self.graph.constant_4_bit(rounded.numbers), to=FLOAT)
        factors = self.op("Cast", self.graph.constant(rounded.factors), to=FLOAT)
        whole = self.op("Mul", numbers, factors)  # (G, 32, N)
        rows = self.op("Reshape", whole, self.integers((-1, rounded.numbers.shape[2])))
        if rounded.numbers.shape[0] * rounded.numbers.shape[1] != rounded.n_rows:
            start, stop, axis = ([n] for n in (0, rounded.n_rows, 0))
            rows = self.op("Slice", rows, *map(self.integers, (start, stop, axis)))
        return self.op("Cast", self.op("Add", rows, self.floats(float(MIDDLE))), to=UINT8)

    def rounded(self, x: str, given: Range) -> str:
        """Return ``x`` as uint8, by a range known beforehand."""
        zero = self.graph.constant(np.array(given.zero(), dtype=np.uint8))
        return self.op("QuantizeLinear", x, self.floats(given.scale()), zero)


def product(
    build: Builder,
    x: str,
    weights: NDArray[np.float32],
    *,
    bits: Bits,
    bias: NDArray[np.float32] | None = None,
    given: Range | None = None,
    is_rounded: bool = False,
) -> str:
    """Return ``x @ weights + bias`` as float32; weights (K, N), bits 8 or 4.

    ``given``: what is known of ``x``; without it every row and frame is measured. ``is_rounded``:
    ``x`` is uint8 by that range already.
    """
    rounded = round_4(weights) if bits == 4 else round_8(weights)
    if given is None:
        return _measured(build, x, rounded, bias)
    number = x if is_rounded else build.rounded(x, given)
    return integer_product(build, number, build.weights(rounded), rounded.scale, given, bias)


def integer_product(
    build: Builder,
    x: str,
    weights: str,
    scale: NDArray[np.float32],
    given: Range,
    bias: NDArray[np.float32] | None,
) -> str:
    """Return the product of ``x`` and ``weights``, both uint8, as float32."""
    zero = build.graph.constant(np.array(given.zero(), dtype=np.uint8))
    middle = build.graph.constant(np.array(MIDDLE, dtype=np.uint8))
    inputs = [x, weights, build.floats(given.scale()), build.floats(scale), zero, middle]
    if bias is not None:
        inputs.append(build.floats(bias))
    return build.op("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)


def _measured(build: Builder, x: str, rounded: Rounded, bias: NDArray[np.float32] | None) -> str:
    """Return the product with one scale for each row and frame of ``x``: its largest value."""
    last = build.integers((-1,))
    largest = build.op("ReduceMax", build.op("Abs", x), last, keepdims=1)  # (…, 1)
    step = build.op("Max", build.op("Mul", largest, build.floats(1 / 127)), build.floats(1e-12))
    whole = build.op("Round", build.op("Div", x, step))  # (…, K), -127 to 127
    number = build.op("Cast", build.op("Add", whole, build.floats(float(MIDDLE))), to=UINT8)
    zero = build.graph.constant(np.array(MIDDLE, dtype=np.uint8))
    total = build.op(
        "Cast", build.op("MatMulInteger", number, build.weights(rounded), zero, zero), to=FLOAT
    )
    y = build.op("Mul", build.op("Mul", total, step), build.floats(rounded.scale))  # (…, N)
    return y if bias is None else build.op("Add", y, build.floats(bias))
