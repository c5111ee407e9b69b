from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from models.graph_shapes import shapes_by_running
from models.quantization.graph import Graph
from models.quantization.layers import layers_of, quantize
from pipeline.errors import BundleError
from tests.unit.models.quantization.graphs import N_HIDDEN, network, noise, run


def with_computed_sizes(data: bytes) -> bytes:
    """Reshape by sizes that the graph computes, as exporters do it where a size was free."""
    model = onnx.load_from_string(data)
    graph = model.graph
    given = [t for t in graph.initializer if t.name != "flat"]
    del graph.initializer[:]
    graph.initializer.extend(given)
    for name, value in (("two", [2]), ("half", [1]), ("first", [0])):
        graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    graph.initializer.append(numpy_helper.from_array(np.array([1, 2 * N_HIDDEN // 2]), "rest"))
    nodes = [
        helper.make_node("Shape", ["x_0"], ["sizes"]),
        helper.make_node("Gather", ["sizes", "first"], ["n"]),
        helper.make_node("Mul", ["n", "two"], ["twice"]),
        helper.make_node("Div", ["twice", "two"], ["n_frames"]),
        helper.make_node("Concat", ["n_frames", "rest"], ["flat"], axis=0),
    ]
    at = next(k for k, node in enumerate(graph.node) if "x_0" in node.output) + 1
    kept = [*graph.node]
    del graph.node[:]
    graph.node.extend([*kept[:at], *nodes, *kept[at:]])
    made: bytes = model.SerializeToString()
    return made


def test_every_tensor_has_the_shape_that_it_has_when_run() -> None:
    model = onnx.load_from_string(with_computed_sizes(network(n_frames=3)))
    shapes = shapes_by_running(model, where="m")
    assert shapes["x_1"] == (3, 1, N_HIDDEN)
    assert shapes["samples"] == (1, 15, 4)
    assert shapes["front.weight"] == (64, 4, 5)
    model.graph.node[0].op_type = "Nonsense"
    with pytest.raises(BundleError, match="m: cannot be run on zeros") as caught:
        shapes_by_running(model, where="m")
    assert "\n" not in str(caught.value)


def test_a_recurrent_layer_behind_computed_sizes_is_quantized_all_the_same() -> None:
    data = with_computed_sizes(network(n_frames=3))
    names = [layer.name for layer in layers_of(Graph(data))]
    assert names == ["front", "gru.l0", "gru.l1", "head"]
    samples = noise(n_rows=1, n_frames=30)
    exact = run(data, samples)
    found = run(quantize(data, dict.fromkeys(names, 8)), samples)
    assert np.sqrt(np.mean((found - exact) ** 2) / exact.var()) < 0.03
