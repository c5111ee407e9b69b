"""The shape of every tensor of an ONNX graph, as a run on zeros has them.

Following shapes through a graph ends where one is computed, as exporters do it for a free size:
divided, put together, reshaped by. Running it does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from models.onnx_backend import REFUSALS, session_options
from pipeline.errors import BundleError


def shapes_by_running(model: Any, *, where: str) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of a model (ModelProto) whose inputs are of fixed sizes.

    Raises:
        BundleError: it cannot be run on zeros.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    known = {value.name for value in whole.graph.output}
    inside = [x for node in whole.graph.node for x in node.output if x and x not in known]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    options = session_options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(
            whole.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        given = {node.name: _zeros(node) for node in session.get_inputs()}
        names = [node.name for node in session.get_outputs()]
        found = session.run(names, given)
    except REFUSALS as error:
        said = str(error).strip().splitlines()[0][:300]
        raise BundleError(f"{where}: cannot be run on zeros ({said})") from None
    shapes = {name: tuple(np.shape(value)) for name, value in zip(names, found, strict=True)}
    shapes |= {name: value.shape for name, value in given.items()}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in whole.graph.initializer}


def _zeros(node: Any) -> Any:
    types = {"tensor(int64)": np.int64, "tensor(float16)": np.float16}
    return np.zeros(node.shape, dtype=types.get(node.type, np.float32))
