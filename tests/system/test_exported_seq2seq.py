from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from models.bundle import load_bundle
from models.export import ExportError
from models.export_seq2seq import (
    PARITY,
    ExportedSeq2Seq,
    check_parity,
    export_seq2seq,
    run_encoder,
    run_steps,
)
from models.families import build
from models.onnx_scan import check_onnx
from models.weights import unpack
from runtime.engine import open_engine
from tools.training.bundle import Origin, write_trained
from tools.training.heads import head_of
from tools.training.recipe import read_recipe
from tools.training.seq2seq_head import GOLDEN_STEPS, GOLDEN_WINDOWS
from tools.training.tasks import simulated_task

COMMON = {"n_inputs": 3, "n_symbols": 5, "patch_samples": 4, "kernel_samples": 10, "n_features": 6,
          "max_symbols": 6}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    "recurrent": {**COMMON, "n_units": 4, "n_layers": 2, "n_decoder": 5, "n_keys": 3},
    "transformer": {**COMMON, "n_width": 8, "n_heads": 2, "n_inner": 9, "n_layers": 1},
}  # fmt: skip


SMALL: dict[str, Any] = {
    "network.n_features": 8, "network.n_units": 8, "network.n_decoder": 8, "network.n_keys": 8,
    "data.n_batch": 4, "decoder.beam": 3, "window.window_s": 3.2,
}  # fmt: skip


@pytest.fixture(scope="module", params=SHAPES)
def made(request: pytest.FixtureRequest) -> tuple[Any, ExportedSeq2Seq]:
    network: Any = build(request.param, SHAPES[request.param], seed=3)
    return network, export_seq2seq(network, n_samples=48, n_rows=3)


def test_exported_steps_give_what_the_network_gives(made: tuple[Any, ExportedSeq2Seq]) -> None:
    network, exported = made
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((1, 48, 3)).astype(np.float32)
    tokens = rng.integers(1, 5, (3, 6))
    tokens[:, 0] = 0
    log_probs, attention = run_steps(exported, run_encoder(exported, samples), tokens)
    rows = torch.from_numpy(samples).expand(3, -1, -1)
    with torch.no_grad():
        wanted = network(rows, torch.from_numpy(tokens))
    np.testing.assert_allclose(log_probs, wanted[0], atol=1e-5, rtol=0)
    np.testing.assert_allclose(attention, wanted[1], atol=1e-5, rtol=0)
    assert check_parity(network, exported) <= PARITY


def test_the_files_are_what_a_bundle_takes(made: tuple[Any, ExportedSeq2Seq]) -> None:
    network, exported = made
    encoder, step = exported.encoder.file, exported.step
    named = {
        "samples": encoder.input.shape, "memory": encoder.output.shape,
        "tokens": (3,), "position": (1,), step.output.name: (3, 5), step.attention.name: (3, 12),
    }  # fmt: skip
    assert (encoder.input.shape, step.max_symbols, step.n_rows) == ((1, 48, 3), 6, 3)
    assert [pair.shape for pair in step.cache] == [tuple(t.shape) for t in network.initial_cache(3)]
    for pair in step.cache:
        named |= {pair.input: pair.shape, pair.output: pair.shape}
    seen = set()
    for data in (exported.encoder.data, exported.step_data):
        check_onnx(data, where="model.onnx")
        graph = onnx.load_from_string(data).graph
        for value in [*graph.input, *graph.output]:
            shape = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
            assert shape == named[value.name], value.name
            seen.add(value.name)
    assert seen == set(named)


def test_parity_notices_another_network(made: tuple[Any, ExportedSeq2Seq]) -> None:
    network, exported = made
    family = type(network).__name__.lower()
    other: Any = build(family, SHAPES[family], seed=4)
    with pytest.raises(ExportError, match="differs by"):
        check_parity(other, exported)


def test_a_window_is_whole_patches(made: tuple[Any, ExportedSeq2Seq]) -> None:
    with pytest.raises(ValueError, match="n_samples: got 50, must be patches of 4"):
        export_seq2seq(made[0], n_samples=50, n_rows=1)


def test_what_is_trained_opens_as_a_bundle_and_gives_its_network_back(tmp_path: Path) -> None:
    recipe, head = read_recipe("recurrent", SMALL), head_of("recurrent")
    task = simulated_task(recipe, arpa=None)
    assert task.examples.batch(0, progress=0.5).samples.shape == (4, 800, 16)
    network: Any = head.learner(recipe, task.heard).network
    exports = head.export(network, task.spec, task.example)
    path = tmp_path / "small.eegb"
    origin = Origin(name="small", data={}, readme="small")
    write_trained(path, network, exports, task.spec, recipe=recipe, origin=origin, arpa=task.arpa)
    bundle = load_bundle(path)
    with np.load(io.BytesIO(bundle.files["golden.npz"])) as golden:
        assert golden["windows"].shape == (GOLDEN_WINDOWS, 800, 16)
        assert golden["tokens"].shape == (GOLDEN_WINDOWS, GOLDEN_STEPS, 3)
    chain = open_engine(path).chain()  # replays the golden vectors
    chain.push(task.example)
    for name, tensor in unpack(bundle).state_dict().items():
        assert tensor.equal(network.state_dict()[name]), name
