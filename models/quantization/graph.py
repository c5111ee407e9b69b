"""An ONNX graph that can be edited: constants by name, nodes in order, shapes known.

Weights reach their operators through slices and transpositions of what was stored. All that follows
from constants alone is computed when a graph is read, so every weight is a constant from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from models.graph_shapes import shapes_by_running
from models.scopes import scope_of
from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from onnx import NodeProto

OPSET = 21
"""The first with 4-bit constants; what networks are exported with means the same in it."""

IR_VERSION = 10
MICROSOFT = "com.microsoft"

FOLDED = frozenset(
    {"Cast", "Concat", "Constant", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze"}
    | {"Transpose", "Unsqueeze"}
)
"""What is done to weights on their way; nothing that would make them larger than they are."""


class Graph:
    """See the module. ``constants`` are arrays by name, ``nodes`` in an order that can be run.

    Raises:
        BundleError: shapes in it contradict each other.
    """

    def __init__(self, data: bytes) -> None:
        try:
            model = onnx.shape_inference.infer_shapes(onnx.load_from_string(data))
        except onnx.shape_inference.InferenceError as error:
            raise BundleError(f"the network's graph cannot be followed ({error})") from None
        graph = model.graph
        self._model = model
        self.inputs = [value.name for value in graph.input]
        self.outputs = [value.name for value in graph.output]
        self.constants: dict[str, NDArray[Any]] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        self.origins = {name: name for name in self.constants}
        """Which stored tensor a constant was computed from."""
        self.packed: dict[str, onnx.TensorProto] = {}
        self.nodes: list[NodeProto] = []
        self._shapes = {
            value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        given = {x for node in graph.node for x in node.input if x} - set(self.constants)
        if not all(x in self._shapes and all(self._shapes[x]) for x in given):
            self._shapes |= shapes_by_running(model, where="the network's graph")
        self._n_names = 0
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        for node in graph.node:
            if (module := scope_of(node)) is not None:
                node.name = f"{module}/{node.name}"  # a profile tells layers by it
            del node.metadata_props[:]  # where in whose source it came from: not for a bundle
            if not self._fold(node):
                self.nodes.append(node)

    def _fold(self, node: NodeProto) -> bool:
        """Compute a node that follows from constants; say whether it did."""
        if node.op_type not in FOLDED or any(x and x not in self.constants for x in node.input):
            return False
        given = [helper.make_tensor_value_info(x, 0, None) for x in node.input if x]
        taken = [helper.make_tensor_value_info(x, 0, None) for x in node.output]
        one = helper.make_model(
            helper.make_graph([node], "constant", given, taken),
            opset_imports=list(self._model.opset_import),
        )
        found = ReferenceEvaluator(one).run(None, {x: self.constants[x] for x in node.input if x})
        origin = next((self.origins[x] for x in node.input if x in self.origins), "")
        for name, value in zip(node.output, found, strict=True):
            self.constants[name] = np.asarray(value)
            self.origins[name] = origin
        return True

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor; 0 where a size is not fixed.

        Raises:
            KeyError: nothing is known of it.
        """
        return self.constants[name].shape if name in self.constants else self._shapes[name]

    def producer(self, name: str) -> NodeProto | None:
        """Return the node that gives a tensor; None of an input or a constant."""
        return next((node for node in self.nodes if name in node.output), None)

    def consumers(self, name: str) -> list[NodeProto]:
        """Return the nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]

    def constant(self, array: NDArray[Any]) -> str:
        """Return the name of a constant; what is equal is stored once."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self._name()
            self.constants[self._known[key]] = array
        return self._known[key]

    def constant_4_bit(self, array: NDArray[np.int8]) -> str:
        """Add a constant of whole numbers from -8 to 7, stored in 4 bits each."""
        name = self._name()
        low, high = (half.astype(np.uint8) & 0xF for half in _halves(array))
        self.packed[name] = helper.make_tensor(
            name, TensorProto.INT4, array.shape, (low | (high << 4)).tobytes(), raw=True
        )
        return name

    def _name(self) -> str:
        self._n_names += 1
        return f"q.{self._n_names}"

    def node(
        self,
        op_type: str,
        inputs: Sequence[str],
        *,
        n_outputs: int = 1,
        outputs: Sequence[str] = (),
        domain: str = "",
        **attributes: Any,
    ) -> tuple[NodeProto, list[str]]:
        """Return a new node, which is not yet in the graph, and the names of its outputs."""
        names = list(outputs) or [self._name() for _ in range(n_outputs)]
        return helper.make_node(op_type, inputs, names, domain=domain, **attributes), names

    def replace(self, old: Sequence[NodeProto], new: Sequence[NodeProto]) -> None:
        """Put ``new`` nodes in the place of the last of the ``old`` ones."""
        module = old[-1].name.rpartition("/")[0]
        for node in new:
            node.name = f"{module}/{node.op_type}_{node.output[0]}".removeprefix("/")
        gone = {id(node) for node in old}
        at = max(k for k, node in enumerate(self.nodes) if id(node) in gone)
        before = [node for node in self.nodes[:at] if id(node) not in gone]
        self.nodes = [*before, *new, *self.nodes[at + 1 :]]

    def to_bytes(self, *, extra_outputs: Sequence[str] = ()) -> bytes:
        """Return the graph as a file, less the constants that nothing reads.

        ``extra_outputs`` are tensors inside that shall be given too, as float32.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph = model.graph
        for field in (graph.node, graph.initializer, graph.value_info, graph.metadata_props):
            del field[:]
        del model.opset_import[:], model.metadata_props[:]
        used = {name for node in self.nodes for name in node.input} | set(self.outputs)
        graph.node.extend(self.nodes)
        graph.initializer.extend(
            numpy_helper.from_array(np.asarray(array, order="C"), name)
            for name, array in self.constants.items()
            if name in used
        )
        graph.initializer.extend(t for name, t in self.packed.items() if name in used)
        graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in extra_outputs
        )
        model.opset_import.extend(
            [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        )
        model.ir_version = IR_VERSION
        data: bytes = model.SerializeToString()
        return data


def _halves(array: NDArray[np.int8]) -> Iterator[NDArray[np.int8]]:
    """Yield the numbers at even places, and those at odd ones, as many."""
    flat = array.ravel()
    if flat.size % 2:
        flat = np.append(flat, np.int8(0))
    yield flat[0::2]
    yield flat[1::2]


def attributes(node: NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}
