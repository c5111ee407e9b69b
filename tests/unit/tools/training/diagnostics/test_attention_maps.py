from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.conformer_ctc import ConformerCtc, ConformerCtcSettings
from tools.training.diagnostics.attention import entropy
from tools.training.diagnostics.attention_maps import AttentionTap, dot_product_weights, unfold


def test_weights_computed_again_are_those_torch_computes_with() -> None:
    torch.manual_seed(0)
    query, key, mask = torch.randn(2, 3, 4, 8), torch.randn(2, 3, 6, 8), torch.randn(2, 3, 4, 6)
    value = torch.eye(6).expand(2, 3, 6, 6)
    found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    weights = dot_product_weights(query, key, value, attn_mask=mask)
    torch.testing.assert_close(weights, found)
    seen = mask > 0
    seen[..., 0] = True
    found = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    torch.testing.assert_close(dot_product_weights(query, key, value, attn_mask=seen), found)


def test_groups_that_look_back_are_laid_out_by_distance() -> None:
    weights = torch.zeros(2, 1, 3, 8)  # 5 frames of context, groups of 3
    for asking in range(3):
        weights[:, 0, asking, 5 + asking - 2] = 1.0  # everybody looks 2 frames back
    table, is_back = unfold(weights)
    assert is_back
    assert table.shape == (1, 6, 6)
    assert (table.argmax(axis=2) == 2).all()


def test_attention_that_sees_all_is_left_as_it_is() -> None:
    weights = torch.full((1, 2, 3, 8), 1 / 8)
    table, is_back = unfold(weights)
    assert not is_back
    assert table.shape == (2, 3, 8)


def test_a_conformer_is_heard_frame_by_frame() -> None:
    settings = ConformerCtcSettings(
        n_inputs=2, n_symbols=3, patch_samples=5, kernel_samples=10, n_features=4, n_width=8,
        n_blocks=2, n_heads=2, n_context=4,
    )  # fmt: skip
    torch.manual_seed(0)
    network, tap = ConformerCtc(settings).eval(), AttentionTap()
    with torch.no_grad(), tap.listening(network):
        network(torch.randn(1, 60, 2), *network.initial_state())
    assert set(tap.maps) == tap.looks_back == {"blocks.0.attention", "blocks.1.attention"}
    for table in tap.maps.values():
        assert table.shape == (2, 12, 5)  # heads, frames, 0 to 4 frames back
        np.testing.assert_allclose(table.sum(axis=2), 1.0, atol=1e-5)
        assert table[:, 0, 1:].max() == 0.0  # there is nothing before the first


def test_steps_are_rows_of_one_map() -> None:
    class Steps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([row.softmax(dim=1) for row in x.split(1)])

    tap, rows = AttentionTap(), torch.randn(3, 5)
    with tap.listening(Steps()) as _:
        pass
    steps = Steps()
    with tap.listening(steps):
        found = steps(rows)
    np.testing.assert_array_equal(tap.maps["memory"], found[None].numpy())


def test_hooks_are_gone_even_after_an_error() -> None:
    network = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(RuntimeError), AttentionTap().listening(network):
        network(torch.zeros(1, 3))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_entropy_is_one_for_all_alike_and_zero_for_one_place() -> None:
    table = np.stack([np.full((4, 8), 1 / 8), np.eye(4, 8)]).astype(np.float32)
    assert entropy(table) == (1.0, 0.0)
