"""A GRU layer in whole numbers: ONNX Runtime has no such kernel, so the cell is written out.

The inputs of all frames of a call are multiplied at once, the hidden values frame by frame. They
are rounded for the product alone; what is carried from frame to frame stays float32. Gates stand in
ONNX's order: update z, reset r, candidate n.

    z, r = sigmoid(W x + R h)    n = tanh(W x + r * (R h + b))    h' = n + z * (h - n)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.quantization.graph import attributes
from models.quantization.product import HIDDEN, Builder, integer_product, product
from models.quantization.rounding import round_4, round_8

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import NodeProto

    from models.quantization.graph import Graph
    from models.quantization.product import Bits, Range


@dataclass(frozen=True, slots=True)
class _Direction:
    """One direction of a layer: (I, 3H), (H, 3H), (3H,) and (3H,)."""

    inputs: NDArray[np.float32]
    hidden: NDArray[np.float32]
    input_bias: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    is_reverse: bool


def is_gru(node: NodeProto, graph: Graph) -> bool:
    """Say whether a node is a GRU as torch makes them, of weights that are constants."""
    found = attributes(node) if node.op_type == "GRU" else {}
    return (
        found.get("linear_before_reset") == 1
        and not found.get("layout", 0)
        and "activations" not in found
        and "clip" not in found
        and all(node.input[k] in graph.constants for k in (1, 2, 3))
        and not node.input[4]
    )


def rewrite_gru(graph: Graph, node: NodeProto, *, bits: Bits, given: Range | None) -> None:
    """Put the written-out cell in the place of a GRU node; bits 8 or 4.

    ``given``: what the layer's input is in, None where every row and frame is to be measured.
    """
    n_frames, n_batch, n_inputs = graph.shape(node.input[0])
    build = Builder(graph)
    directions = _directions(graph, node)
    rows = build.op("Reshape", node.input[0], build.integers((-1, n_inputs)))  # (F B, I)
    starts = [""]
    if len(node.input) > 5 and node.input[5]:
        n_hidden = len(directions[0].hidden)
        start = build.op("Reshape", node.input[5], build.integers((-1, n_hidden)))  # (D B, H)
        starts = (
            build.ops("Split", start, n_outputs=2, axis=0, num_outputs=2)
            if len(directions) == 2
            else [start]
        )
    found, last = [], []
    for direction, start in zip(directions, starts * len(directions), strict=False):
        hidden = start or build.floats(np.zeros((n_batch, len(direction.hidden)), np.float32))
        frames = _run(build, rows, hidden, direction, n_frames, bits=bits, given=given)
        last.append(frames[-1])
        found.append(frames[::-1] if direction.is_reverse else frames)
    n_hidden = len(directions[0].hidden)
    in_order = [h for of_frame in zip(*found, strict=True) for h in of_frame]  # F D of (B, H)
    outputs = (
        (in_order, (n_frames, len(directions), n_batch, n_hidden)),
        (last, (len(directions), n_batch, n_hidden)),
    )
    for name, (parts, shape) in zip(node.output, outputs, strict=False):
        if name:
            whole = parts[0] if len(parts) == 1 else build.op("Concat", *parts, axis=0)
            reshape, _ = graph.node("Reshape", [whole, build.integers(shape)], outputs=[name])
            build.nodes.append(reshape)
    graph.replace([node], build.nodes)


def _directions(graph: Graph, node: NodeProto) -> list[_Direction]:
    inputs, hidden, bias = (graph.constants[node.input[k]] for k in (1, 2, 3))
    how = attributes(node).get("direction", b"forward")
    found = []
    for k in range(len(inputs)):
        input_bias, hidden_bias = np.split(bias[k].astype(np.float32), 2)  # (3H,) each
        found.append(
            _Direction(
                inputs[k].T.astype(np.float32),
                hidden[k].T.astype(np.float32),
                input_bias,
                hidden_bias,
                is_reverse=how == b"reverse" or k == 1,
            )
        )
    return found


def _run(
    build: Builder,
    rows: str,
    hidden: str,
    layer: _Direction,
    n_frames: int,
    *,
    bits: Bits,
    given: Range | None,
) -> list[str]:
    """Return the hidden values (B, H) after each frame, in the order they are computed."""
    n_hidden = len(layer.hidden)
    # What both sums of z and r are off by is added once, with the inputs of all frames.
    bias, hidden_bias = layer.input_bias.copy(), layer.hidden_bias.copy()  # (3H,)
    bias[: 2 * n_hidden] += hidden_bias[: 2 * n_hidden]
    hidden_bias[: 2 * n_hidden] = 0.0
    from_input = product(build, rows, layer.inputs, bits=bits, bias=bias, given=given)  # (F B, 3H)
    sizes = build.integers((2 * n_hidden, n_hidden))
    gates, candidates = (
        [part]
        if n_frames == 1
        else build.ops("Split", part, n_outputs=n_frames, axis=0, num_outputs=n_frames)
        for part in build.ops("Split", from_input, sizes, n_outputs=2, axis=1)
    )  # F of (B, 2H), F of (B, H)
    rounded = round_4(layer.hidden) if bits == 4 else round_8(layer.hidden)
    weights = build.weights(rounded)
    found = []
    for frame in range(n_frames - 1, -1, -1) if layer.is_reverse else range(n_frames):
        number = build.rounded(hidden, HIDDEN)
        again = integer_product(build, number, weights, rounded.scale, HIDDEN, hidden_bias)
        gate, candidate = build.ops("Split", again, sizes, n_outputs=2, axis=1)
        gate = build.op("Sigmoid", build.op("Add", gate, gates[frame]))  # (B, 2H)
        update, reset = build.ops("Split", gate, n_outputs=2, axis=1, num_outputs=2)
        candidate = build.op("Mul", reset, candidate)  # (B, H)
        candidate = build.op("Tanh", build.op("Add", candidate, candidates[frame]))
        kept = build.op("Mul", update, build.op("Sub", hidden, candidate))
        hidden = build.op("Add", candidate, kept)  # (B, H)
        found.append(hidden)
    return found
