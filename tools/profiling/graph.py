"""The layers of an ONNX file: which node belongs to which, what each computes and holds.

A file tells what its nodes were: networks exported from torch carry the module each node came from,
other exporters write a path into its name. Where neither is there, each operator that computes
something is a layer. A node of no layer belongs to the one that it works for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import onnx

from models.graph_shapes import shapes_by_running
from models.scopes import TOP, scope_of, within
from tools.profiling.flops import NOT_COUNTED, RECURRENT, flops_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WEIGHTS = frozenset(
    getattr(onnx.TensorProto, name)
    for name in ("DOUBLE", "FLOAT", "FLOAT16", "BFLOAT16", "INT4", "INT8", "UINT4", "UINT8")
)


@dataclass(slots=True)
class Layer:
    """What a layer of a file computes in one call, and the weights that the file keeps for it."""

    name: str
    operators: list[str] = field(default_factory=list)
    flops: int = 0
    n_weights: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """A file's layers in the order they run; ``data`` is the file with a name for every node."""

    data: bytes
    layers: dict[str, Layer]
    layer_of_node: dict[str, str]
    layer_of_tensor: dict[str, str]
    weight_bytes: int
    not_counted: tuple[str, ...]

    @property
    def flops(self) -> int:
        """Operations of one call."""
        return sum(layer.flops for layer in self.layers.values())

    @property
    def n_weights(self) -> int:
        """Numbers that the file keeps, whatever their precision."""
        return sum(layer.n_weights for layer in self.layers.values())


def read_graph(data: bytes, *, where: str) -> Graph:
    """Return the layers of a file that can be run.

    Raises:
        BundleError: it cannot be run on zeros.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    ours = _give_names(graph.node)
    shapes = shapes_by_running(model, where=where)
    flops = [flops_of(node, shapes) for node in graph.node]
    weights = {t.name: t for t in graph.initializer if t.data_type in WEIGHTS and prod(t.dims) > 1}
    named = [
        _own_name(node, weights, ours) if count else scope_of(node)
        for node, count in zip(graph.node, flops, strict=True)
    ]
    owners = adopt(graph.node, _numbered(graph.node, named))
    layers: dict[str, Layer] = {}
    for node, owner, count in zip(graph.node, owners, flops, strict=True):
        layer = layers.setdefault(owner, Layer(owner))
        layer.flops += count
        if count and node.op_type not in layer.operators:
            layer.operators.append(node.op_type)
    for name, tensor in weights.items():
        readers = [o for node, o in zip(graph.node, owners, strict=True) if name in node.input]
        if readers:
            layers[readers[0]].n_weights += prod(tensor.dims)
    return Graph(
        data=model.SerializeToString(),
        layers=layers,
        layer_of_node={n.name: o for n, o in zip(graph.node, owners, strict=True)},
        layer_of_tensor={x: o for n, o in zip(graph.node, owners, strict=True) for x in n.output},
        weight_bytes=sum(_bytes(tensor) for tensor in weights.values()),
        not_counted=tuple(sorted({n.op_type for n in graph.node} & NOT_COUNTED)),
    )


def _give_names(nodes: Iterable[Any]) -> set[str]:
    """Name every node, and no two alike: ONNX Runtime's profile knows them by name.

    Returns the names of those that had none.
    """
    taken: set[str] = set()
    ours: set[str] = set()
    for k, node in enumerate(nodes):
        had_none = not node.name
        if had_none or node.name in taken:
            node.name = f"{node.name or node.op_type}_{k}"
        if had_none:
            ours.add(node.name)
        taken.add(node.name)
    return ours


def _own_name(node: Any, weights: dict[str, Any], ours: set[str]) -> str:
    """Return a name for what computes something: of its weights, its module, or its operator.

    A norm that was folded into a convolution leaves its own module on the node, and its weights'.
    """
    owners = [name.rpartition(".")[0] for name in node.input if name in weights]
    owner = next((owner for owner in owners if owner and owner != "q"), None) or scope_of(node)
    if owner is not None:
        return within(owner)
    return f"{node.op_type} {node.name.rpartition('_')[2]}" if node.name in ours else node.name


def _numbered(nodes: Sequence[Any], named: list[str | None]) -> list[str | None]:
    """Tell the layers of one recurrent module apart: "gru layer 1", "gru layer 2"."""
    counts: dict[str, int] = {}
    for node, name in zip(nodes, named, strict=True):
        if name is not None and node.op_type in RECURRENT:
            counts[name] = counts.get(name, 0) + 1
    reached: dict[str, int] = {}
    found: list[str | None] = []
    for node, name in zip(nodes, named, strict=True):
        if name is None or counts.get(name, 0) < 2:
            found.append(name)
            continue
        at = min(reached.get(name, 0) + 1, counts[name])
        found.append(f"{name} layer {at}")
        if node.op_type in RECURRENT:
            reached[name] = at
    return found


def adopt(nodes: Sequence[Any], owners: Sequence[str | None]) -> list[str]:
    """Give each node without an owner that of the node it works for, else of the one before it."""
    reader = {x: k for k, node in reversed(list(enumerate(nodes))) for x in node.input if x}
    found = list(owners)
    for k in range(len(nodes) - 1, -1, -1):  # whoever reads a tensor stands behind who gives it
        if found[k] is None:
            readers = [reader[x] for x in nodes[k].output if x in reader]
            found[k] = next((found[j] for j in readers if j > k and found[j] is not None), None)
    before = next((owner for owner in found if owner is not None), TOP)
    for k, owner in enumerate(found):
        before = found[k] = before if owner is None else owner
    return [owner or TOP for owner in found]


def _bytes(tensor: Any) -> int:
    bits = {onnx.TensorProto.INT4: 4, onnx.TensorProto.UINT4: 4}.get(tensor.data_type)
    if bits is None:
        bits = 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return int(prod(tensor.dims) * bits // 8)
