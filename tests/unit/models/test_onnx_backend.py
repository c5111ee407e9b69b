from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.manifest import ModelFile, StatePair, Tensor
from models.onnx_backend import OnnxModel
from pipeline.errors import BundleError


def session(nodes: list[object], constants: dict[str, np.ndarray]) -> ort.InferenceSession:
    """A model (1, 4, 2) to (1, 4, 2) with a state (1, 1)."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, [1, 4, 2]), value("h", TensorProto.FLOAT, [1, 1])],
        [value("y", TensorProto.FLOAT, [1, 4, 2]), value("h2", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


FILE = ModelFile(
    input=Tensor(name="x", shape=(1, 4, 2)),
    output=Tensor(name="y", shape=(1, 4, 2)),
    state=(StatePair(input="h", output="h2", shape=(1, 1)),),
)


def test_a_state_that_is_no_number_any_more_begins_anew() -> None:
    """A model that divides by what it hears, as norms do, meets a headset that is switched off."""
    node = helper.make_node
    nodes = [
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Div", ["sum", "sum"], ["one"]),
        node("Add", ["h", "one"], ["h2"]),
        node("Add", ["x", "h2"], ["y"]),
    ]
    model = OnnxModel(session(nodes, {}), FILE)
    heard, silence = np.ones((4, 2), np.float32), np.zeros((4, 2), np.float32)
    assert [model.run(heard)[0, 0] for _ in range(3)] == [2.0, 3.0, 4.0]
    assert np.isnan(model.run(silence)).all()
    assert [model.run(heard)[0, 0] for _ in range(3)] == [2.0, 3.0, 4.0]


def test_what_cannot_be_run_is_one_sentence() -> None:
    node = helper.make_node
    nodes = [
        node("ReduceMax", ["x"], ["top"], keepdims=0),
        node("Cast", ["top"], ["place"], to=TensorProto.INT64),
        node("Gather", ["table", "place"], ["found"]),
        node("Add", ["x", "found"], ["y"]),
        node("Identity", ["h"], ["h2"]),
    ]
    model = OnnxModel(session(nodes, {"table": np.ones(3, np.float32)}), FILE)
    model.run(np.ones((4, 2), np.float32))
    with pytest.raises(BundleError, match="model.onnx: cannot be run") as caught:
        model.run(np.full((4, 2), 7, np.float32))
    assert "\n" not in str(caught.value)
