from __future__ import annotations

import pytest
import torch

from models.front_end import log_power, patch_filters, wavelet_pairs
from models.gru_ctc import GruCtcSettings, build


def test_power_does_not_depend_on_the_phase_of_a_burst() -> None:
    torch.manual_seed(1)
    filters = wavelet_pairs(2, 64, kernel_samples=50, patch_samples=50)
    time = torch.arange(50.0)
    with torch.no_grad():
        powers = [
            log_power(filters(torch.stack([wave, wave])[None]).transpose(1, 2))
            for wave in (torch.cos(0.5 * time + phase) for phase in (0.0, 0.8, 1.6, 2.4))
        ]
    assert powers[0].shape == (1, 1, 64)
    heard = powers[0] > 2.0
    assert heard.any()
    for other in powers[1:]:
        torch.testing.assert_close(other[heard], powers[0][heard], rtol=0.1, atol=0)


def test_silence_has_no_power() -> None:
    assert (log_power(torch.zeros(1, 3, 8)) == 0).all()


def test_refuses_a_kernel_shorter_than_its_patch() -> None:
    for made in (patch_filters, wavelet_pairs):
        with pytest.raises(ValueError, match="kernel_samples: 3 must be >= patch_samples 10"):
            made(1, 2, kernel_samples=3, patch_samples=10)


def test_a_seed_still_draws_the_weights_it_always_drew() -> None:
    """Sums taken before the GRU network's front end moved here."""
    network = build(
        GruCtcSettings(
            n_inputs=3, n_symbols=5, patch_samples=4, kernel_samples=11, n_features=6,
            features="power", n_hidden=7, n_layers=1,
        ),
        seed=3,
    )  # fmt: skip
    assert list(network.state_dict())[:4] == [
        "filters.weight",
        "filters.bias",
        "norm.weight",
        "norm.bias",
    ]
    assert network.filters.weight.detach().abs().sum().item() == pytest.approx(32.649422)
    assert network.head.weight.detach().abs().sum().item() == pytest.approx(6.661426)
