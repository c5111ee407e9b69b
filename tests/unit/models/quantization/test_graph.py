import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.quantization.graph import Graph


def one_step(*nodes, constants, shape=(2, 3)):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [value("x", TensorProto.FLOAT, shape)],
        [value("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def run(data, x):
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def test_a_scalar_stays_a_scalar():
    gather = helper.make_node("Gather", ["x", "index"], ["y"], axis=0)
    data = one_step(gather, constants={"index": np.array(1)})
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert run(Graph(data).to_bytes(), x).shape == run(data, x).shape == (3,)


def test_what_follows_from_constants_is_computed_and_known_by_its_origin():
    turn = helper.make_node("Transpose", ["head.weight"], ["turned"], perm=[1, 0])
    multiply = helper.make_node("MatMul", ["x", "turned"], ["y"])
    weight = np.arange(12, dtype=np.float32).reshape(4, 3)
    data = one_step(turn, multiply, constants={"head.weight": weight})
    graph = Graph(data)
    assert [node.op_type for node in graph.nodes] == ["MatMul"]
    assert np.array_equal(graph.constants["turned"], weight.T)
    assert graph.origins["turned"] == "head.weight"
    x = np.ones((2, 3), np.float32)
    assert np.array_equal(run(graph.to_bytes(), x), run(data, x))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 1, 5)])
def test_four_bit_constants_come_back(shape):
    numbers = np.random.default_rng(0).integers(-8, 8, shape).astype(np.int8)
    graph = Graph(one_step(constants={}))
    name = graph.constant_4_bit(numbers)
    assert np.array_equal(numpy_helper.to_array(graph.packed[name]).astype(np.int8), numbers)
