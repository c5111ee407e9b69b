"""Single weights are zero, and stay so."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.families import build
from tools.compression.pruning.masks import hold, smallest_out, zeros_share

SHAPE = {"n_inputs": 2, "n_symbols": 4, "n_features": 8, "n_hidden": 8, "n_layers": 1}


@settings(deadline=None)
@given(amount=st.floats(0.0, 0.99), seed=st.integers(0, 5))
def test_the_smallest_of_every_tensor_go_and_biases_stay(amount: float, seed: int) -> None:
    network = build("gru-ctc", SHAPE, seed=seed)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    masks = smallest_out(network, amount)
    hold(network, masks)
    for name, weight in network.named_parameters():
        if weight.dim() < 2:
            assert torch.equal(weight, before[name])
            continue
        mask = masks[name]
        assert int((~mask).sum()) == int(amount * weight.numel() + 1e-9)
        assert torch.equal(weight, before[name] * mask)
        if mask.any() and not mask.all():
            assert before[name][~mask].abs().max() <= before[name][mask].abs().min()


def test_what_is_out_stays_out_when_weights_move() -> None:
    network = build("gru-ctc", SHAPE, seed=0)
    masks = smallest_out(network, 0.5)
    hold(network, masks)
    share = zeros_share(network)
    assert 0.4 < share < 0.5
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1.0)
    assert zeros_share(network) == 0.0
    hold(network, masks)
    assert abs(zeros_share(network) - share) < 0.03
