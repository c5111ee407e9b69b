from __future__ import annotations

import pytest
import torch

from models.eegnet import EegNet, EegNetSettings
from tests.unit.models.eegnets import SHAPE, network_of


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
