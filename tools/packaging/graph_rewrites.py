"""An ONNX graph made smaller or quicker, so that it still runs on any machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from models.onnx_backend import REFUSALS
from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator

Level = Literal["none", "basic", "extended"]
Halving = Literal["all", "products", "stored"]
"""What is computed in 16 bit: all that is not delicate, only products and recurrent layers, or
nothing: then weights are only stored so, and a runtime unfolds them once, when it opens the file.
"""

MOST_GROWTH = 1.05
LEAST_STORED = 64

HALVED = frozenset({"Conv", "ConvTranspose", "GRU", "Gemm", "LSTM", "MatMul", "RNN"})
"""What is worth 16 bit: where the weights are."""

DELICATE = (
    *("Exp", "LayerNormalization", "Log", "LogSoftmax", "Pow", "Reciprocal", "ReduceMean"),
    *("ReduceSum", "ReduceSumSquare", "Softmax", "Sqrt", "Div", "Mod", "Where"),
)
"""What overflows in 16 bit, or loses what a logarithm would show; it stays in 32."""


def optimised(data: bytes, level: Level) -> bytes:
    """Return the graph as ONNX Runtime rewrites it: constants folded, batch norms in convolutions.

    ``basic`` leaves standard operators alone; ``extended`` also joins some into operators that
    every ONNX Runtime has. What is bound to a machine (layouts for its caches) is never in it.
    Where folding makes the file larger, as of weights that are used as doubles, nothing is folded.

    Raises:
        BundleError: ONNX Runtime refuses the graph.
    """
    if level == "none":
        return data
    for disabled in ([], ["ConstantFolding"]):
        found = _rewritten(data, level, disabled)
        if len(found) <= MOST_GROWTH * len(data):
            return found
    return data


def _rewritten(data: bytes, level: Level, disabled: list[str]) -> bytes:
    import onnx
    import onnxruntime as ort

    levels = ort.GraphOptimizationLevel
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = {
        "basic": levels.ORT_ENABLE_BASIC,
        "extended": levels.ORT_ENABLE_EXTENDED,
    }[level]
    with tempfile.TemporaryDirectory(prefix="eegscribe-export-") as folder:
        path = Path(folder) / "model.onnx"
        options.optimized_model_filepath = str(path)
        try:
            ort.InferenceSession(
                data, options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled
            )
        except REFUSALS as error:
            said = str(error).strip().splitlines()[0][:300]
            raise BundleError(f"ONNX Runtime refuses the graph ({said})") from None
        model = onnx.load(path)
    used = {node.domain for node in _nodes(model.graph)} | {""}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    found: bytes = model.SerializeToString()
    return found


def halved(data: bytes, *, how: Halving) -> bytes:
    """Return the graph with weights of 16 bit; what goes in and out, states too, stays in 32.

    Raises:
        BundleError: weights are to be stored so, and there are none worth it.
    """
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = onnx.load_from_string(data)
    if how == "stored":
        _store_halves(model.graph)
        half = model
    else:
        kinds = {node.op_type for node in _nodes(model.graph)}
        blocked = {*DEFAULT_OP_BLOCK_LIST, *DELICATE}
        blocked |= kinds - HALVED if how == "products" else set()
        half = convert_float_to_float16(model, keep_io_types=True, op_block_list=sorted(blocked))
        _without_twins(half.graph)
    found: bytes = half.SerializeToString()
    return found


def _store_halves(graph: Any) -> None:
    """Keep large weights as float16, each with a cast back where it was."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts, kept = [], []
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype == np.float32 and value.size >= LEAST_STORED:
            stored = f"{tensor.name}_float16"
            limit = np.finfo(np.float16).max
            kept.append(numpy_helper.from_array(value.clip(-limit, limit).astype("f2"), stored))
            casts.append(
                helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT, name=stored)
            )
        else:
            kept.append(tensor)
    if not casts:
        raise BundleError(f"no weights of {LEAST_STORED} numbers or more to store in 16 bit")
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def counted(data: bytes, kind: str) -> int:
    """Return how many operators of a kind a graph has."""
    import onnx

    return sum(node.op_type == kind for node in _nodes(onnx.load_from_string(data).graph))


def _without_twins(graph: Any) -> None:
    """Leave one of every two casts that are the same: the converter adds one for every reader."""
    seen: set[str] = set()
    kept = []
    for k, node in enumerate(graph.node):
        if node.op_type == "Cast" and node.output[0] in seen:
            continue
        seen.update(node.output)
        node.name = f"{node.name}_{k}"  # twins of a name are refused, too
        kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
