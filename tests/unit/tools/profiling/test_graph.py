"""Counts by hand on three small networks, of what is exported and of the network itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from models.export import export_ctc
from models.export_classifier import export_classifier
from models.families import build
from models.quantization.layers import quantize
from pipeline.errors import BundleError
from tools.profiling.graph import adopt, read_graph
from tools.profiling.network import count_flops, parameters_by_layer

GRU: dict[str, Any] = {
    "n_inputs": 4,
    "n_symbols": 5,
    "n_features": 6,
    "n_hidden": 8,
    "n_layers": 2,
}
GRU_FLOPS = {  # 2 frames of 10 samples; a multiplication and an addition are two
    "filters": 2 * 2 * 6 * (4 * 10),
    "gru layer 1": 2 * 2 * 3 * 8 * (6 + 8),
    "gru layer 2": 2 * 2 * 3 * 8 * (8 + 8),
    "head": 2 * 2 * 8 * 5,
}
GRU_PARAMETERS = {
    "filters": 6 * 40 + 6,
    "norm": 6 + 6,
    "gru layer 1": 3 * 8 * (6 + 8 + 2),
    "gru layer 2": 3 * 8 * (8 + 8 + 2),
    "head": 8 * 5 + 5,
}
CONFORMER: dict[str, Any] = {
    "n_inputs": 3,
    "n_symbols": 5,
    "kernel_samples": 20,
    "n_features": 4,
    "n_width": 8,
    "n_blocks": 1,
    "n_heads": 2,
    "n_context": 3,
    "kernel_frames": 2,
}
CONFORMER_FLOPS = {
    "filters": 2 * 2 * 8 * (3 * 20),  # pairs: twice the features
    "widen": 2 * 2 * 4 * 8,
    "blocks.0.before.1": 2 * 2 * 8 * 16,
    "blocks.0.before.4": 2 * 2 * 16 * 8,
    "blocks.0.attention.project": 2 * 2 * 8 * 24,
    "blocks.0.attention": 2 * (2 * 2 * 5 * 8),  # scores and sums over 3 + 2 frames
    "blocks.0.attention.mix": 2 * 2 * 8 * 8,
    "blocks.0.convolution.gate": 2 * 2 * 8 * 16,
    "blocks.0.convolution.convolve": 2 * 2 * 8 * 2,
    "blocks.0.convolution.mix": 2 * 2 * 8 * 8,
    "blocks.0.after.1": 2 * 2 * 8 * 16,
    "blocks.0.after.4": 2 * 2 * 16 * 8,
    "head": 2 * 2 * 8 * 5,
}
EEGNET: dict[str, Any] = {
    "n_inputs": 4,
    "n_symbols": 3,
    "n_samples": 64,
    "n_temporal": 2,
    "n_pointwise": 3,
    "kernel_samples": 5,
    "pool_samples": 4,
    "pool_again": 4,
}
EEGNET_FLOPS = {
    "layers.0": 2 * 64 * 4 * 2 * 5,
    "layers.2": 2 * 64 * 4 * 4,
    "layers.7": 2 * 16 * 4 * 15,
    "layers.8": 2 * 16 * 3 * 4,
    "head": 2 * (3 * 4) * 3,
}
EEGNET_PARAMETERS = {
    "layers.0": 2 * 5,
    "layers.1": 2 * 2,
    "layers.2": 4 * 4,
    "layers.3": 2 * 4,
    "layers.7": 4 * 15,
    "layers.8": 3 * 4,
    "layers.9": 2 * 3,
    "head": 12 * 3 + 3,
}


@pytest.fixture(scope="module")
def gru() -> Any:
    network = build("gru-ctc", GRU)
    return network, export_ctc(network, n_frames=2).data


def computing(data: bytes) -> dict[str, int]:
    graph = read_graph(data, where="model.onnx")
    assert graph.not_counted == ()
    return {name: layer.flops for name, layer in graph.layers.items() if layer.flops}


def test_a_gru_as_counted_by_hand(gru: Any) -> None:
    network, data = gru
    assert computing(data) == GRU_FLOPS
    state, samples = network.initial_state(), torch.zeros(1, 20, 4)
    counted = count_flops(lambda: network(samples, *state))
    assert counted[""] == sum(GRU_FLOPS.values())
    assert counted["gru"] == GRU_FLOPS["gru layer 1"] + GRU_FLOPS["gru layer 2"]
    assert parameters_by_layer(network) == GRU_PARAMETERS
    weights = {n: layer.n_weights for n, layer in read_graph(data, where="m").layers.items()}
    assert weights == {**GRU_PARAMETERS, "top level": 0}


def test_a_conformer_as_counted_by_hand() -> None:
    network = build("conformer-ctc", CONFORMER)
    assert computing(export_ctc(network, n_frames=2).data) == CONFORMER_FLOPS
    state, samples = network.initial_state(), torch.zeros(1, 20, 3)
    counted = count_flops(lambda: network(samples, *state))
    assert counted[""] == sum(CONFORMER_FLOPS.values())
    assert counted["blocks.0.convolution.convolve"] == 2 * 2 * 8 * 2
    found = parameters_by_layer(network)
    assert found["blocks.0.attention"] == 2 * 4  # a bias for each head and distance
    assert sum(found.values()) == sum(p.numel() for p in network.parameters())


def test_a_classifier_as_counted_by_hand() -> None:
    network = build("eegnet", EEGNET)
    data = export_classifier(network).data  # type: ignore[arg-type]
    assert computing(data) == EEGNET_FLOPS
    counted = count_flops(lambda: network(torch.zeros(1, 64, 4)))
    assert counted[""] == sum(EEGNET_FLOPS.values())
    assert parameters_by_layer(network) == EEGNET_PARAMETERS


def test_operators_that_torch_fuses_are_counted_all_the_same() -> None:
    lstm = torch.nn.LSTM(5, 7, batch_first=True).eval()
    counted = count_flops(lambda: lstm(torch.zeros(2, 6, 5)))
    assert counted[""] == 2 * 6 * 2 * 4 * 7 * (5 + 7)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    linear = 2 * 5 * (8 * 24 + 8 * 8 + 8 * 16 + 16 * 8)
    assert count_flops(lambda: layer(torch.zeros(1, 5, 8)))[""] == linear + 2 * 2 * 5 * 5 * 8


def test_a_quantized_file_still_knows_its_layers() -> None:
    wide = {**GRU, "n_features": 64, "n_hidden": 64}  # the exporter folds what is small
    data = export_ctc(build("gru-ctc", wide), n_frames=2).data
    graph = read_graph(quantize(data, {"gru.l0": 8, "gru.l1": 4}), where="model.onnx")
    assert graph.weight_bytes < 0.6 * read_graph(data, where="model.onnx").weight_bytes
    assert {name: layer.flops for name, layer in graph.layers.items() if layer.flops} == {
        "filters": 2 * 2 * 64 * 40,
        "gru layer 1": 2 * 2 * 3 * 64 * 128,
        "gru layer 2": 2 * 2 * 3 * 64 * 128,
        "head": 2 * 2 * 64 * 5,
    }


def model(*nodes: onnx.NodeProto, weights: dict[str, Any]) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3))],
        [numpy_helper.from_array(np.asarray(w, np.float32), name) for name, w in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data: bytes = made.SerializeToString()
    return data


def test_a_file_without_modules_has_a_layer_for_whatever_computes() -> None:
    node = helper.make_node
    data = model(
        node("MatMul", ["x", "dense.weight"], ["a"]),
        node("Relu", ["a"], ["b"]),
        node("MatMul", ["b", "w"], ["c"], name="/out/proj/MatMul"),
        node("MatMul", ["c", "w"], ["d"]),
        node("Softmax", ["d"], ["y"]),
        weights={"dense.weight": np.eye(3), "w": np.eye(3)},
    )
    found = read_graph(data, where="m")
    assert list(found.layers) == ["dense", "out/proj", "MatMul 3"]
    assert [layer.flops for layer in found.layers.values()] == [18, 18, 18]
    assert [layer.n_weights for layer in found.layers.values()] == [9, 9, 0]
    assert found.layer_of_tensor["b"] == "out/proj"  # Relu works for what reads it
    assert found.layer_of_tensor["y"] == "MatMul 3"
    assert len(set(found.layer_of_node)) == 5
    assert found.weight_bytes == 2 * 9 * 4


def test_what_is_not_counted_is_told() -> None:
    data = model(
        helper.make_node("Einsum", ["x", "w"], ["y"], equation="ij,jk->ik"),
        weights={"w": np.eye(3)},
    )
    assert read_graph(data, where="m").not_counted == ("Einsum",)


def test_a_file_that_cannot_run_is_refused() -> None:
    data = model(helper.make_node("MatMul", ["x", "w"], ["y"]), weights={"w": np.eye(4)})
    with pytest.raises(BundleError, match="m: cannot be run on zeros"):
        read_graph(data, where="m")


def test_nodes_of_no_layer_belong_to_whom_they_work_for() -> None:
    node = helper.make_node
    nodes = [
        node("Reshape", ["x", "s"], ["a"]),
        node("MatMul", ["a", "w"], ["b"]),
        node("Reshape", ["b", "s"], ["y"]),
    ]
    assert adopt(nodes, [None, "dense", None]) == ["dense"] * 3
    assert adopt(nodes, [None, None, None]) == ["top level"] * 3
