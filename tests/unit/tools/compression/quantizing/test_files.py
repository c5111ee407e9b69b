import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from models.quantization.rounding import round_4, round_8
from pipeline.errors import BundleError
from tests.unit.models.quantization.graphs import network, noise, run
from tools.compression.quantizing.bundle import precision_of
from tools.compression.quantizing.files import layer_sizes, quantized_files, uniform
from tools.compression.quantizing.training import round_while_training, stop_rounding


def test_layers_are_named_by_file_and_the_others_stay_as_they_are():
    files = {"model.onnx": network(n_frames=1), "step.onnx": network(n_frames=2)}
    names = layer_sizes(files)
    assert "step.onnx/gru.l0" in names
    made = quantized_files(files, {"step.onnx/gru.l0": 8}, {})
    assert made["model.onnx"] is files["model.onnx"]
    assert len(made["step.onnx"]) < len(files["step.onnx"])


def test_a_network_without_such_layers_is_refused():
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, (1,)), value("y", TensorProto.FLOAT, (1,))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", [x], [y])
    data = helper.make_model(graph).SerializeToString()
    with pytest.raises(BundleError, match="no layer to quantize"):
        uniform({"model.onnx": data}, 8, {}, how="")


def test_every_layer_is_at_the_same_bits():
    files = {"model.onnx": network(n_frames=1)}
    found = uniform(files, 4, {}, how="4 bits")
    assert set(found.bits.values()) == {4}
    samples = noise(n_rows=1, n_frames=4)
    exact, other = run(files["model.onnx"], samples), run(found.files["model.onnx"], samples)
    assert 0 < np.abs(exact - other).max() < 1.0


@pytest.mark.parametrize(
    ("bits", "name"),
    [((8, 8), "int8"), ((4, 4), "int4"), ((16, 16), "float16"), ((8, 4), "mixed")],
)
def test_a_manifest_calls_bits_by_their_name(bits, name):
    assert precision_of({"a": bits[0], "b": bits[1]}) == name


@pytest.mark.parametrize("bits", [4, 8])
def test_training_sees_the_weights_that_will_be_stored_and_keeps_its_own(bits):
    torch.manual_seed(0)
    made = torch.nn.ModuleDict(
        {"gru": torch.nn.GRU(64, 32, batch_first=True), "head": torch.nn.Linear(32, 40)}
    )
    conv = torch.nn.Conv1d(4, 64, 10)
    made["conv"] = conv
    before = {name: weight.detach().clone() for name, weight in made.named_parameters()}
    round_while_training(made, bits=bits)
    rounds = round_4 if bits == 4 else round_8
    seen = made["gru"].weight_hh_l0.detach().numpy()
    assert np.allclose(seen, rounds(before["gru.weight_hh_l0"].numpy().T).weights().T, atol=1e-7)
    flat = before["conv.weight"].numpy().transpose(2, 1, 0).reshape(40, 64)
    kept = conv.weight.detach().numpy().transpose(2, 1, 0).reshape(40, 64)
    assert np.allclose(kept, rounds(flat).weights(), atol=1e-7)
    frames, _ = made["gru"](torch.randn(2, 3, 64))
    made["head"](frames).sum().backward()
    optimiser = torch.optim.SGD(made.parameters(), lr=0.1)
    optimiser.step()
    stop_rounding(made)
    after = dict(made.named_parameters())
    assert set(after) == set(before)
    assert not torch.equal(after["gru.weight_hh_l0"], before["gru.weight_hh_l0"])
    assert torch.equal(after["conv.weight"], before["conv.weight"])
