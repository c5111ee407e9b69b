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

    Raises:
        BundleError: ONNX Runtime refuses the graph.
    """
    import onnx
    import onnxruntime as ort

    if level == "none":
        return data
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
            ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
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


def halved(data: bytes, *, is_careful: bool) -> bytes:
    """Return the graph with weights of 16 bit; what goes in and out, states too, stays in 32.

    ``is_careful`` computes in 16 bit only where the weights are, else in all but what is delicate.
    """
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    model = onnx.load_from_string(data)
    kinds = {node.op_type for node in _nodes(model.graph)}
    blocked = {*DEFAULT_OP_BLOCK_LIST, *DELICATE} | (kinds - HALVED if is_careful else set())
    half = convert_float_to_float16(model, keep_io_types=True, op_block_list=sorted(blocked))
    _without_twins(half.graph)
    found: bytes = half.SerializeToString()
    return found


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
