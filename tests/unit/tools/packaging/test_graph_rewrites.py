from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.onnx_scan import check_onnx
from pipeline.errors import BundleError
from tools.packaging.graph_rewrites import Halving, Level, counted, halved, optimised


def graph(nodes: list[onnx.NodeProto], weight: np.ndarray) -> bytes:
    value = helper.make_tensor_value_info
    made = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, [1, 4, weight.shape[0]])],
        [value("y", TensorProto.FLOAT, [1, 4, weight.shape[1]])],
        [numpy_helper.from_array(weight.astype(np.float32), "w")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


def in_doubles(weight: np.ndarray) -> bytes:
    """A product whose weights are stored as float32 and used as float64."""
    return graph(
        [
            helper.make_node("Cast", ["x"], ["x64"], to=TensorProto.DOUBLE),
            helper.make_node("Cast", ["w"], ["w64"], to=TensorProto.DOUBLE),
            helper.make_node("MatMul", ["x64", "w64"], ["y64"]),
            helper.make_node("Cast", ["y64"], ["y"], to=TensorProto.FLOAT),
        ],
        weight,
    )


def twice_read(weight: np.ndarray) -> bytes:
    """A product that is multiplied by its own exponential: delicate operators read it twice."""
    return graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["p"]),
            helper.make_node("Exp", ["p"], ["e"]),
            helper.make_node("Pow", ["p", "p"], ["q"]),
            helper.make_node("Div", ["q", "p"], ["d"]),
            helper.make_node("Add", ["d", "e"], ["y"]),
        ],
        weight,
    )


def run(data: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"x": x})[0]
    return found


WEIGHT = np.abs(np.random.default_rng(0).standard_normal((32, 64))) / 32
X = np.abs(np.random.default_rng(1).standard_normal((1, 4, 32))).astype(np.float32)


@pytest.mark.parametrize("level", ["none", "basic", "extended"])
def test_optimising_never_makes_a_file_much_larger_nor_foreign(level: Level) -> None:
    data = in_doubles(WEIGHT)
    made = optimised(data, level)
    assert len(made) <= 1.05 * len(data)
    check_onnx(made, where="made")
    np.testing.assert_array_equal(run(made, X), run(data, X))


@pytest.mark.parametrize("how", ["all", "products", "stored"])
def test_halving_survives_values_that_are_read_twice(how: Halving) -> None:
    data = twice_read(WEIGHT)
    made = halved(data, how=how)
    assert len(made) < 0.7 * len(data)
    np.testing.assert_allclose(run(made, X), run(data, X), rtol=1e-2)
    assert counted(made, "Exp") == counted(data, "Exp") == 1


def test_a_graph_that_cannot_be_opened_is_refused() -> None:
    broken = graph([helper.make_node("MatMul", ["x", "nothing"], ["y"])], WEIGHT)
    with pytest.raises(BundleError, match="ONNX Runtime refuses the graph"):
        optimised(broken, "basic")
