import numpy as np

from models.manifest import ModelFile, StatePair, Tensor
from models.quantization.layers import quantize
from models.quantization.probe import Probe, divergence, fit_range
from tests.unit.models.quantization.graphs import (
    N_HIDDEN,
    N_INPUTS,
    N_SYMBOLS,
    PATCH,
    network,
    noise,
    run,
)

FRAMES = 2
MODEL = ModelFile(
    input=Tensor(name="samples", shape=(1, FRAMES * PATCH, N_INPUTS)),
    output=Tensor(name="scores", shape=(1, FRAMES, N_SYMBOLS)),
    state=(StatePair(input="state", output="state_next", shape=(2, 1, N_HIDDEN)),),
)


def windows(seed):
    samples = noise(n_rows=1, n_frames=20, seed=seed)
    return samples, samples.reshape(-1, FRAMES * PATCH, N_INPUTS)


def test_sessions_are_heard_as_the_daemon_hears_them():
    data = network(n_frames=FRAMES)
    samples, given = windows(1)
    found = Probe(MODEL, None, [given]).log_probs({"model.onnx": data})
    assert np.array_equal(found, run(data, samples)[0])


def test_ranges_hold_what_layers_are_given_and_make_static_as_good_as_measured():
    data = network(n_frames=FRAMES)
    samples, given = windows(1)
    found = Probe(MODEL, None, [given]).ranges({"model.onnx": data})
    assert set(found) == {"model.onnx/front", "model.onnx/gru.l0"}
    assert found["model.onnx/gru.l0"].low == 0.0  # behind a rectifier
    ranges = {name.partition("/")[2]: one for name, one in found.items()}
    bits = dict.fromkeys(["front", "gru.l0", "gru.l1", "head"], 8)
    exact = run(data, samples)
    off = [
        np.mean((run(quantize(data, bits, ranges=given), samples) - exact) ** 2)
        for given in (ranges, None)
    ]
    assert off[0] < 4 * off[1]


def test_a_far_value_does_not_widen_the_steps():
    values = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    found = fit_range(values, low=-100.0, high=100.0)
    assert 3.0 < found.high < 6.0


def test_divergence_of_a_distribution_from_itself_is_none():
    scores = np.log(np.full((3, 4), 0.25, np.float32))
    other = np.log(np.array([[0.7, 0.1, 0.1, 0.1]] * 3, np.float32))
    assert divergence(scores, scores) == 0.0
    assert divergence(scores, other) > 0.2
