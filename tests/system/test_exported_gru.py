from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from models.export import Exported, ExportError, check_parity, export_ctc, run_calls
from models.gru_ctc import GruCtcSettings, build
from models.onnx_scan import check_onnx

POWER = GruCtcSettings(n_inputs=3, n_symbols=5, patch_samples=4, kernel_samples=11, n_features=6,
                       features="power", n_hidden=7, n_layers=2)  # fmt: skip
LINEAR = GruCtcSettings(n_inputs=3, n_symbols=5, patch_samples=4, kernel_samples=4, n_features=6,
                        n_hidden=7, n_layers=2)  # fmt: skip


@pytest.fixture(scope="module", params=[(POWER, 1), (POWER, 3), (LINEAR, 2)])
def exported(request: pytest.FixtureRequest) -> tuple[GruCtcSettings, Exported]:
    wanted, n_frames = request.param
    return wanted, export_ctc(build(wanted, seed=3), n_frames=n_frames)


@pytest.mark.parametrize("n_calls", [1, 3, 20, 101])
def test_calls_with_state_equal_one_pass(
    exported: tuple[GruCtcSettings, Exported], n_calls: int
) -> None:
    wanted, onnx_model = exported
    n_samples = onnx_model.file.input.shape[1] * n_calls
    samples = np.random.default_rng(n_calls).standard_normal((n_samples, 3)).astype(np.float32)
    network = build(wanted, seed=3)
    with torch.no_grad():
        full = network(torch.from_numpy(samples[None]), *network.initial_state())[0][0].numpy()
    np.testing.assert_allclose(run_calls(onnx_model, samples), full, atol=1e-5, rtol=0)


def test_the_file_is_what_a_bundle_takes(exported: tuple[GruCtcSettings, Exported]) -> None:
    _, onnx_model = exported
    check_onnx(onnx_model.data, where="model.onnx")
    graph = onnx.load_from_string(onnx_model.data).graph
    shape = {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in [*graph.input, *graph.output]
    }
    file = onnx_model.file
    assert graph.input[0].name == "samples"
    assert graph.output[0].name == "log_probs"
    assert shape["samples"] == file.input.shape
    assert shape["log_probs"] == file.output.shape
    for pair in file.state:
        assert shape[pair.input] == shape[pair.output] == pair.shape


def test_parity_notices_another_network(exported: tuple[GruCtcSettings, Exported]) -> None:
    wanted, onnx_model = exported
    with pytest.raises(ExportError, match="differ by"):
        check_parity(build(wanted, seed=4), onnx_model)
