"""A foreign ONNX model in our layout: nodes around its graph, added once, when it is imported.

Ours is ``(1, n_samples, n_inputs)`` in and ``(1, n_rows, n_columns)`` of natural logs out. What
stands between is a reshape, a transpose and, where it gives no logs, a logarithm; nothing of it is
left for the hot path. Every shape becomes fixed: a batch of one, the window's samples.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.manifest import ModelFile, StatePair, Tensor
from pipeline.errors import BundleError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind = Literal["logits", "probabilities", "log-probabilities", "memory"]
"""What a model gives; ``memory`` is an encoder's, any numbers."""

INPUT_AXES = ("batch", "time", "bands", "channels")
OUTPUT_AXES = ("batch", "time", "symbols")
SINGLE = "1"
WEIGHTS_ALONE = 4
LEAST = 1e-30
"""Probabilities below this count as this: their logarithm stays finite."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """How somebody else's model is called and what it gives.

    ``columns`` are the places of its symbols in our order, None where it has them in that order.
    ``has_odds``: it scores one stimulus; of two columns the second is the target's.
    """

    input: str
    output: str
    input_axes: tuple[str, ...]
    output_axes: tuple[str, ...]
    kind: Kind
    sizes: Mapping[str, int]
    """Of ``batch`` (1), ``time``, ``bands`` and ``channels``."""
    states: tuple[tuple[str, str], ...] = ()
    columns: tuple[int, ...] | None = None
    has_odds: bool = False

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape its input has, singles and all."""
        return tuple(1 if axis == SINGLE else self.sizes[axis] for axis in self.input_axes)


def parse_axes(text: str, *, known: Sequence[str], needed: Sequence[str], where: str) -> Any:
    """Return the axes of ``batch,time,channels`` and the like.

    Raises:
        UsageError: an axis that is not known, one twice, or one missing.
    """
    axes = tuple(axis.strip() for axis in text.split(","))
    named = [axis for axis in axes if axis != SINGLE]
    unknown = [axis for axis in named if axis not in known]
    missing = [axis for axis in needed if axis not in named]
    if unknown or missing or len(set(named)) != len(named):
        raise UsageError(
            f"{where}: got {text!r}, wanted each of {', '.join(needed)} once"
            f" (known: {', '.join(known)}, and {SINGLE})"
        )
    return axes


def fix_shapes(model: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Give every input these shapes in place of free ones; what is known in between is forgotten.

    Weights that are inputs too, as all were before version 4 of the format, become weights only.

    Raises:
        BundleError: an input has another fixed size, or another number of axes.
    """
    graph = model.graph
    model.ir_version = max(model.ir_version, WEIGHTS_ALONE)
    held = {tensor.name for tensor in graph.initializer}
    inputs = [copy.deepcopy(value) for value in graph.input if value.name not in held]
    del graph.input[:]
    graph.input.extend(inputs)
    for value in graph.input:
        wanted = shapes.get(value.name)
        if wanted is None:
            continue
        dims = value.type.tensor_type.shape.dim
        got = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in dims)
        fits = len(got) == len(wanted) and all(
            not isinstance(g, int) or g in {0, w} for g, w in zip(got, wanted, strict=True)
        )
        if not fits:
            raise BundleError(f"input {value.name}: is {got}, wanted {wanted} by the layout")
        for dim, size in zip(dims, wanted, strict=True):
            dim.Clear()
            dim.dim_value = size
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


def wrap(model: Any, foreign: Foreign, shapes: Mapping[str, tuple[int, ...]]) -> ModelFile:
    """Put nodes around ``model`` (a ModelProto with fixed shapes), and say how it is called now.

    Args:
        model: changed in place.
        foreign: what it is.
        shapes: of its outputs, as running it showed.
    """
    from onnx import TensorProto, helper

    graph = model.graph
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    ours = _Nodes(taken)
    entrance, leaving = ours.free("samples"), ours.free("scores")
    n_inputs = foreign.sizes["bands"] * foreign.sizes["channels"]
    into = (1, foreign.sizes["time"], n_inputs)
    types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    _enter(ours, entrance, foreign, types[foreign.input])
    states = [_state_in(ours, name, types[name]) for name, _ in foreign.states]
    n_before = len(ours.nodes)
    shape = _leave(ours, leaving, foreign, shapes[foreign.output])
    followers = [_state_out(ours, after, types[name]) for name, after in foreign.states]
    after = ours.nodes[n_before:]
    old = [*graph.node]
    del graph.node[:]
    graph.node.extend([*ours.nodes[:n_before], *old, *after])
    graph.initializer.extend(ours.constants)
    pairs = tuple(
        StatePair(input=name, output=following, shape=shapes[after])
        for name, following, (_, after) in zip(states, followers, foreign.states, strict=True)
    )
    into_all = {entrance: into, **{pair.input: pair.shape for pair in pairs}}
    out_all = {leaving: shape, **{pair.output: pair.shape for pair in pairs}}
    del graph.input[:], graph.output[:]
    for values, named in ((graph.input, into_all), (graph.output, out_all)):
        values.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
            for name, size in named.items()
        )
    return ModelFile(
        input=Tensor(name=entrance, shape=into),
        output=Tensor(name=leaving, shape=shape),
        state=pairs,
    )


class _Nodes:
    """Nodes and constants of ours, by names that the model does not use."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def free(self, name: str) -> str:
        """Return ``name``, or one like it that is free."""
        found, k = name, 0
        while found in self._taken:
            k += 1
            found = f"{name}_{k}"
        self._taken.add(found)
        return found

    def constant(self, value: Any) -> str:
        """Add a constant; return its name."""
        from onnx import numpy_helper

        name = self.free("eegscribe_constant")
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """Add a node; return the name of what it gives."""
        from onnx import helper

        output = to or self.free(f"eegscribe_{kind.lower()}")
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def _enter(ours: _Nodes, entrance: str, foreign: Foreign, elem_type: int) -> None:
    """From (1, n_samples, n_inputs) to what the model takes; bands lie band-major in the last."""
    sizes = foreign.sizes
    whole = tuple(axis for axis in INPUT_AXES if axis in foreign.input_axes)
    order = [axis for axis in foreign.input_axes if axis != SINGLE]
    x = entrance
    if "bands" in whole:
        shape = np.array([sizes[axis] for axis in whole], dtype=np.int64)
        x = ours.add("Reshape", x, ours.constant(shape))
    if order != list(whole):
        x = ours.add("Transpose", x, perm=[whole.index(axis) for axis in order])
    if SINGLE in foreign.input_axes:
        x = ours.add("Reshape", x, ours.constant(np.array(foreign.input_shape, dtype=np.int64)))
    _cast(ours, x, foreign.input, elem_type)


def _state_in(ours: _Nodes, name: str, elem_type: int) -> str:
    """Return the float32 input that a state comes in by."""
    from onnx import TensorProto

    if elem_type == TensorProto.FLOAT:
        return name
    outer = ours.free(f"{name}_float32")
    _cast(ours, outer, name, elem_type)
    return outer


def _state_out(ours: _Nodes, name: str, elem_type: int) -> str:
    """Return the float32 output that a state goes out by."""
    from onnx import TensorProto

    if elem_type == TensorProto.FLOAT:
        return name
    outer = ours.free(f"{name}_float32")
    _cast(ours, name, outer, TensorProto.FLOAT)
    return outer


def _cast(ours: _Nodes, x: str, to: str, elem_type: int) -> None:
    from onnx import helper

    ours.nodes.append(helper.make_node("Cast", [x], [to], to=elem_type))


def _leave(
    ours: _Nodes, leaving: str, foreign: Foreign, raw: tuple[int, ...]
) -> tuple[int, int, int]:
    """From what the model gives to (1, n_rows, n_columns) of logs; return that shape."""
    from onnx import TensorProto

    sizes = dict(zip(foreign.output_axes, raw, strict=True))
    rows, columns = sizes.get("time", 1), sizes["symbols"]
    order = [axis for axis in foreign.output_axes if axis in OUTPUT_AXES]
    ranked = sorted(order, key=OUTPUT_AXES.index)
    x = ours.free("eegscribe_float")
    _cast(ours, foreign.output, x, TensorProto.FLOAT)
    if len(order) != len(foreign.output_axes):
        shape = np.array([sizes[axis] for axis in order], dtype=np.int64)
        x = ours.add("Reshape", x, ours.constant(shape))
    if order != ranked:
        x = ours.add("Transpose", x, perm=[order.index(axis) for axis in ranked])
    x = ours.add("Reshape", x, ours.constant(np.array([1, rows, columns], dtype=np.int64)))
    x = _logs(ours, x, foreign, columns)
    if foreign.has_odds:
        columns = 1
    elif foreign.columns is not None:
        x = ours.add("Gather", x, ours.constant(np.array(foreign.columns, np.int64)), axis=2)
        columns = len(foreign.columns)
    ours.add("Identity", x, to=leaving)
    return 1, rows, columns


def _logs(ours: _Nodes, x: str, foreign: Foreign, columns: int) -> str:
    """Natural logs of probabilities; of a stimulus the log of the target's odds."""
    if foreign.kind == "memory":
        return x
    least = ours.constant(np.array(LEAST, dtype=np.float32))
    if foreign.has_odds and columns == 1:
        if foreign.kind == "logits":
            return x
        p = ours.add("Exp", x) if foreign.kind == "log-probabilities" else x
        one = ours.constant(np.array(1.0, dtype=np.float32))
        target, other = ours.add("Max", p, least), ours.add("Max", ours.add("Sub", one, p), least)
        return ours.add("Sub", ours.add("Log", target), ours.add("Log", other))
    if foreign.kind == "probabilities":
        x = ours.add("Log", ours.add("Max", x, least))
    elif foreign.kind == "logits" and not foreign.has_odds:
        x = ours.add("LogSoftmax", x, axis=2)
    if foreign.has_odds:
        other, target = (
            ours.add("Gather", x, ours.constant(np.array([k], np.int64)), axis=2) for k in (0, 1)
        )
        return ours.add("Sub", target, other)
    return x
