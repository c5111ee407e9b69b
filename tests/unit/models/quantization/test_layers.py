import numpy as np
import onnx
import pytest

from models.onnx_scan import check_onnx
from models.quantization.graph import Graph
from models.quantization.layers import layers_of, quantize
from models.quantization.product import HIDDEN, Range
from tests.unit.models.quantization.graphs import network, noise, run

NAMES = ["front", "gru.l0", "gru.l1", "head"]
RANGES = {"front": Range(-4.0, 4.0), "gru.l0": Range(0.0, 5.0)}
CASES = [
    pytest.param(bits, ranges, id=f"{bits}-{'static' if ranges else 'measured'}")
    for bits in (8, 4)
    for ranges in (RANGES, None)
]


def at(bits):
    return dict.fromkeys(NAMES, bits)


def test_layers_are_called_what_the_network_calls_them_and_bounded_by_nature():
    layers = layers_of(Graph(network(n_frames=2)))
    assert [layer.name for layer in layers] == NAMES
    assert [layer.range for layer in layers] == [None, None, HIDDEN, HIDDEN]
    assert [layer.kind for layer in layers] == ["convolution", "gru", "gru", "linear"]


@pytest.mark.parametrize(("bits", "ranges"), CASES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_it_computes_nearly_what_the_network_computes(bits, ranges, direction):
    data = network(n_frames=3, direction=direction)
    samples = noise(n_rows=1, n_frames=30)
    exact, found = run(data, samples), run(quantize(data, at(bits), ranges=ranges), samples)
    off = np.sqrt(np.mean((found - exact) ** 2) / exact.var())
    assert off < (0.03 if bits == 8 else 0.25)


def test_at_16_bits_only_the_weights_are_rounded():
    data, samples = network(n_frames=3), noise(n_rows=1, n_frames=30)
    half = quantize(data, at(16))
    assert np.abs(run(half, samples) - run(data, samples)).max() < 5e-3
    assert len(half) < 0.6 * len(data)


@pytest.mark.parametrize(("bits", "ranges"), CASES)
def test_another_chunking_changes_no_bit(bits, ranges):
    samples = noise(n_rows=1, n_frames=20)
    found = [
        run(quantize(network(n_frames=n), at(bits), ranges=ranges), samples).tobytes()
        for n in (1, 2, 5, 20)
    ]
    assert len(set(found)) == 1


@pytest.mark.parametrize(("bits", "ranges"), CASES)
def test_a_loud_neighbour_changes_no_bit(bits, ranges):
    samples = noise(n_rows=3, n_frames=10)
    alone = run(quantize(network(n_frames=2), at(bits), ranges=ranges), samples[1:2])
    wide = quantize(network(n_frames=2, n_rows=3), at(bits), ranges=ranges)
    samples[0] *= 1000.0
    assert run(wide, samples)[1].tobytes() == alone[0].tobytes()


def test_padding_is_heard_as_silence():
    data, samples = network(n_frames=4, pads=(2, 3)), noise(n_rows=1, n_frames=3)
    exact, found = run(data, samples), run(quantize(data, at(8), ranges=RANGES), samples)
    assert np.abs(found - exact).max() < 0.1


def test_layers_that_are_not_named_stay_as_they_are():
    data, samples = network(n_frames=2), noise(n_rows=1, n_frames=10)
    assert np.array_equal(run(quantize(data, {}), samples), run(data, samples))


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_a_bundle_may_hold_it_and_it_takes_and_gives_what_it_did(bits):
    data = network(n_frames=2)
    made = quantize(data, at(bits), ranges=RANGES)
    check_onnx(made, where="model.onnx")
    one, other = onnx.load_from_string(data).graph, onnx.load_from_string(made).graph
    assert list(one.input) == list(other.input)
    assert list(one.output) == list(other.output)
    domains = {node.domain for node in other.node}
    assert domains <= {"", "com.microsoft"}
    assert {n.op_type for n in other.node if n.domain} <= {"MatMulIntegerToFloat"}


def test_four_bits_are_smaller_than_eight():
    data = network(n_frames=2)
    sizes = [len(quantize(data, at(bits), ranges=RANGES)) for bits in (16, 8, 4)]
    assert sizes == sorted(sizes, reverse=True)
