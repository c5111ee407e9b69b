from __future__ import annotations

import numpy as np
import pytest
import torch

from models.classifier import Classifier
from models.eegnet import EegNet, EegNetSettings
from models.export import run_calls
from models.export_classifier import check_parity, export_classifier
from models.families import build

SHAPE = EegNetSettings(
    n_inputs=3, n_symbols=4, n_samples=50, patch_samples=2, n_temporal=2, n_pointwise=4,
    kernel_samples=10, pool_samples=4, pool_again=3,
)  # fmt: skip


def network_of(shape: EegNetSettings) -> Classifier:
    network = EegNet(shape).eval()
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():  # as if it had been trained: fresh statistics do nothing
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=draw)
            module.running_var.uniform_(0.5, 2.0, generator=draw)
    network.scale.copy_(torch.tensor([1.0, 20.0, 300.0])[: shape.n_inputs])
    return network


def test_scores_of_symbols_are_log_probabilities_in_one_row() -> None:
    with torch.no_grad():
        scores = network_of(SHAPE)(torch.randn(5, 50, 3))
    assert scores.shape == (5, 1, 4)
    torch.testing.assert_close(scores.exp().sum(dim=2), torch.ones(5, 1))


def test_a_stimulus_has_one_score_that_is_no_log_probability() -> None:
    network = network_of(EegNetSettings(n_inputs=3, n_symbols=1, n_samples=100))
    torch.manual_seed(0)
    with torch.no_grad():
        scores = network(1e3 * torch.randn(50, 100, 3))
    assert scores.shape == (50, 1, 1)
    assert scores.max() > 0
    assert scores.std() > 0.1


def test_a_louder_input_with_its_scale_is_the_same() -> None:
    network, samples = network_of(SHAPE), torch.randn(2, 50, 3)
    with torch.no_grad():
        before = network(samples)
        network.scale.mul_(8.0)
        torch.testing.assert_close(network(8.0 * samples), before)


def test_samples_beyond_the_last_whole_patch_are_not_looked_at() -> None:
    network = network_of(EegNetSettings(n_inputs=2, n_symbols=2, n_samples=103, patch_samples=4))
    samples = torch.randn(1, 103, 2)
    with torch.no_grad():
        before = network(samples)
        samples[:, 100:] += 100.0
        assert torch.equal(network(samples), before)


@pytest.mark.parametrize("n_symbols", [1, 4])
def test_the_exported_model_computes_what_the_network_does(n_symbols: int) -> None:
    shape = EegNetSettings(**{**{f: getattr(SHAPE, f) for f in SHAPE.__struct_fields__},
                              "n_symbols": n_symbols})  # fmt: skip
    network = network_of(shape)
    exported = export_classifier(network)
    assert exported.file.input.shape == (1, 50, 3)
    assert (exported.file.output.name, exported.file.output.shape) == ("scores", (1, 1, n_symbols))
    assert not exported.file.state
    samples = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    with torch.no_grad():
        own = network(torch.from_numpy(samples)[None])[0].numpy()
    np.testing.assert_allclose(run_calls(exported, samples), own, atol=1e-4)
    assert check_parity(network, exported) < 1e-4


def test_parity_is_refused_where_the_model_is_another() -> None:
    exported = export_classifier(network_of(SHAPE))
    other = build("eegnet", {f: getattr(SHAPE, f) for f in SHAPE.__struct_fields__}, seed=1)
    with pytest.raises(Exception, match="must be within"):
        check_parity(other, exported)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (EegNetSettings(n_inputs=2, n_symbols=2), "n_samples: got 0"),
        (EegNetSettings(n_inputs=2, n_symbols=2, n_samples=40), "pool_samples times pool_again"),
    ],
)
def test_refuses_windows_too_short(shape: EegNetSettings, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        EegNet(shape)
