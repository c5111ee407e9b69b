"""Linear maps and convolutions over time, in whole numbers.

A convolution over time with all channels mixed is a linear map of each frame's patch of samples,
and is written as one: ONNX Runtime's integer convolution rounds what it gives, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.quantization.graph import attributes
from models.quantization.product import Builder, product

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import NodeProto

    from models.quantization.graph import Graph
    from models.quantization.product import Bits, Range


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map in a graph: ``nodes`` compute it, ``weights`` (K, N), ``bias`` (N,) or None."""

    nodes: tuple[NodeProto, ...]
    x: str
    y: str
    weights: NDArray[np.float32]
    bias: NDArray[np.float32] | None


def linear_of(node: NodeProto, graph: Graph) -> Linear | None:
    """Return the linear map that begins with a node, with its bias; None where there is none."""
    if node.op_type == "Gemm":
        return _gemm(node, graph)
    if node.op_type != "MatMul" or node.input[1] not in graph.constants:
        return None
    weights = graph.constants[node.input[1]]
    if weights.ndim != 2 or weights.dtype != np.float32:
        return None
    readers = graph.consumers(node.output[0])
    if len(readers) == 1 and readers[0].op_type == "Add" and node.output[0] not in graph.outputs:
        (add,) = readers
        other = [x for x in add.input if x != node.output[0]]
        bias = graph.constants.get(other[0]) if len(other) == 1 else None
        if bias is not None and bias.shape == (weights.shape[1],):
            return Linear((node, add), node.input[0], add.output[0], weights, bias)
    return Linear((node,), node.input[0], node.output[0], weights, None)


def _gemm(node: NodeProto, graph: Graph) -> Linear | None:
    found = attributes(node)
    weights = graph.constants.get(node.input[1])
    has_bias = len(node.input) > 2 and node.input[2]
    bias = graph.constants.get(node.input[2]) if has_bias else None
    plain = found.get("alpha", 1.0) == found.get("beta", 1.0) == 1.0 and not found.get("transA", 0)
    if not plain or weights is None or weights.dtype != np.float32 or (has_bias and bias is None):
        return None
    weights = weights.T if found.get("transB", 0) else weights
    if bias is not None and bias.shape != (weights.shape[1],):
        return None
    return Linear((node,), node.input[0], node.output[0], weights, bias)


def rewrite_linear(graph: Graph, linear: Linear, *, bits: Bits, given: Range | None) -> None:
    """Put an integer product in the place of a linear map; bits 8 or 4."""
    build = Builder(graph)
    y = product(build, linear.x, linear.weights, bits=bits, bias=linear.bias, given=given)
    build.give(y, as_name=linear.y)
    graph.replace(linear.nodes, build.nodes)


def is_convolution(node: NodeProto, graph: Graph) -> bool:
    """Say whether a node is a convolution over time of constant weights that mixes all channels."""
    if node.op_type != "Conv" or node.input[1] not in graph.constants:
        return False
    found = attributes(node)
    return (
        graph.constants[node.input[1]].ndim == 3
        and found.get("group", 1) == 1
        and list(found.get("dilations", [1])) == [1]
        and found.get("auto_pad", b"NOTSET") == b"NOTSET"
        and (len(node.input) < 3 or not node.input[2] or node.input[2] in graph.constants)
    )


def rewrite_convolution(graph: Graph, node: NodeProto, *, bits: Bits, given: Range | None) -> None:
    """Put an integer product in the place of a convolution; bits 8 or 4.

    Q filters of K samples over C channels, every S samples: F frames.
    """
    found, weights = attributes(node), graph.constants[node.input[1]]  # (Q, C, K)
    n_filters, n_channels, n_samples = weights.shape
    (stride,) = found.get("strides", [1])
    before, after = found.get("pads", [0, 0])
    n_batch, _, n_given = graph.shape(node.input[0])
    n_frames = (n_given + before + after - n_samples) // stride + 1
    build = Builder(graph)
    x = build.op("Transpose", node.input[0], perm=(0, 2, 1))  # (B, T, C)
    if before or after:
        x = build.op("Pad", x, build.integers((0, before, 0, 0, after, 0)))
    start = stride * np.arange(n_frames)[:, None]
    seen = graph.constant((start + np.arange(n_samples)).astype(np.int64))  # (F, K)
    if given is not None:
        x = build.rounded(x, given)
    x = build.op("Gather", x, seen, axis=1)  # (B, F, K, C)
    x = build.op("Reshape", x, build.integers((n_batch, n_frames, n_samples * n_channels)))
    flat = weights.transpose(2, 1, 0).reshape(-1, n_filters).astype(np.float32)  # (K C, Q)
    has_bias = len(node.input) > 2 and node.input[2]
    bias = graph.constants[node.input[2]] if has_bias else None
    y = product(build, x, flat, bits=bits, bias=bias, given=given, is_rounded=given is not None)
    build.give(build.op("Transpose", y, perm=(0, 2, 1)), as_name=node.output[0])
    graph.replace([node], build.nodes)
