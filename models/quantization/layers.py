"""The layers of an exported network that can be quantized, and a network with some of them so.

GRU layers, linear maps, and convolutions over time that mix all channels. Norms, embeddings,
convolutions of single channels and products of two activations stay float32.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from models.quantization.graph import Graph
from models.quantization.gru import is_gru, rewrite_gru
from models.quantization.linear import (
    Linear,
    is_convolution,
    linear_of,
    rewrite_convolution,
    rewrite_linear,
)
from models.quantization.product import FLOAT, HIDDEN, Bits, Range

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onnx import NodeProto

Kind = Literal["gru", "linear", "convolution"]

LEAST_WEIGHTS = 1024
"""Layers of fewer are left alone: they cost next to nothing in float32."""

MOST_FRAMES = 128
"""A GRU of more frames a call is left alone: written out, it would be thousands of nodes."""

_BY_NATURE = {
    "GRU": HIDDEN,
    "Tanh": HIDDEN,
    "Softsign": HIDDEN,
    "Sigmoid": Range(0.0, 1.0),
    "Softmax": Range(0.0, 1.0),
}
"""What these give is bounded, whatever they are given."""

_MOVES = frozenset({"Concat", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose"})
_MOVES |= {"Unsqueeze"}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: ``x`` is the tensor it is given, ``range`` what that is in by nature, if anything.

    ``n_bytes`` of its weights in float32.
    """

    name: str
    kind: Kind
    x: str
    n_bytes: int
    range: Range | None
    found: NodeProto | Linear
    weights: tuple[str, ...]


def layers_of(graph: Graph) -> list[Layer]:
    """Return the layers that can be quantized, in the order they are run."""
    found: list[Layer] = []
    for node in graph.nodes:
        layer = _layer(node, graph)
        if layer is not None and layer.n_bytes >= 4 * LEAST_WEIGHTS:
            found.append(layer)
    names = [layer.name for layer in found]
    return [
        layer if names.count(layer.name) == 1 else _renamed(layer, f"{layer.name}.{k}")
        for k, layer in enumerate(found)
    ]


def _renamed(layer: Layer, name: str) -> Layer:
    return Layer(name, layer.kind, layer.x, layer.n_bytes, layer.range, layer.found, layer.weights)


def _layer(node: NodeProto, graph: Graph) -> Layer | None:
    found = _found(node, graph)
    if found is None:
        return None
    kind, one = found
    weights = tuple(node.input[1 : 3 if kind == "gru" else 2])
    n_bytes = sum(4 * graph.constants[name].size for name in weights)
    nodes = one.nodes if isinstance(one, Linear) else (one,)
    constants = [name for each in nodes for name in each.input if name in graph.constants]
    name = _name(constants, graph) or node.name or node.output[0]
    x = node.input[0]
    return Layer(name, kind, x, n_bytes, _by_nature(x, graph), one, weights)


def _found(node: NodeProto, graph: Graph) -> tuple[Kind, NodeProto | Linear] | None:
    if is_gru(node, graph):
        return ("gru", node) if graph.shape(node.input[0])[0] <= MOST_FRAMES else None
    if is_convolution(node, graph):
        return "convolution", node
    linear = linear_of(node, graph)
    return None if linear is None else ("linear", linear)


def _name(constants: list[str], graph: Graph) -> str:
    """Return what the network calls a layer, by the names of its weights; empty if unknown."""
    for constant in constants:
        origin = graph.origins.get(constant, "")
        gru = re.fullmatch(r"(.+)\.(?:weight|bias)_[ih]h_(l\d+)(?:_reverse)?", origin)
        if gru is not None:
            return f"{gru[1]}.{gru[2]}"
        if "." in origin:
            return origin.rpartition(".")[0]
    return ""


def _by_nature(x: str, graph: Graph) -> Range | None:
    """Return what a tensor is in whatever the network hears, None where nothing bounds it."""
    node = graph.producer(x)
    if node is None:
        return None
    if node.op_type in _MOVES:
        given = [name for name in node.input if name and name not in graph.constants]
        ranges = {_by_nature(name, graph) for name in given}
        return ranges.pop() if len(ranges) == 1 else None
    return _BY_NATURE.get(node.op_type)


def quantize(
    data: bytes, bits: Mapping[str, Bits], *, ranges: Mapping[str, Range] | None = None
) -> bytes:
    """Return an exported network with its layers at ``bits``, by name; the others as they are.

    Args:
        data: the file.
        bits: 4, 8 or 16, of any of its layers.
        ranges: what layers are given, by name; of others each row and frame is measured.
    """
    graph = Graph(data)
    for layer in layers_of(graph):
        own = bits.get(layer.name, 32)
        given = layer.range or (ranges or {}).get(layer.name)
        last = layer.found.nodes[-1] if isinstance(layer.found, Linear) else layer.found
        if layer.name != last.name:  # what stands in its place is called so too
            last.name = f"{layer.name}/{last.op_type}"
        if own == 16:
            _store_halved(graph, layer)
        elif own == 32:
            continue
        elif isinstance(layer.found, Linear):
            rewrite_linear(graph, layer.found, bits=own, given=given)
        elif layer.kind == "gru":
            rewrite_gru(graph, layer.found, bits=own, given=given)
        else:
            rewrite_convolution(graph, layer.found, bits=own, given=given)
    return graph.to_bytes()


def _store_halved(graph: Graph, layer: Layer) -> None:
    """Store a layer's weights in 16 bits; they are widened once, when the model is opened."""
    nodes = layer.found.nodes if isinstance(layer.found, Linear) else (layer.found,)
    casts = []
    for weight in layer.weights:
        half = graph.constant(graph.constants[weight].astype(np.float16))
        cast, (wide,) = graph.node("Cast", [half], to=FLOAT)
        casts.append(cast)
        for node in nodes:
            node.input[:] = [wide if name == weight else name for name in node.input]
    graph.nodes = [*casts, *graph.nodes]
