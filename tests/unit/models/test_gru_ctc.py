from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gru_ctc import GruCtcSettings, build, reference_settings

LINEAR = GruCtcSettings(n_inputs=3, n_symbols=5, patch_samples=4, kernel_samples=4, n_features=6,
                        n_hidden=7, n_layers=2)  # fmt: skip
POWER = GruCtcSettings(n_inputs=3, n_symbols=5, patch_samples=4, kernel_samples=11, n_features=6,
                       features="power", n_hidden=7, n_layers=2)  # fmt: skip


@pytest.mark.parametrize("wanted", [LINEAR, POWER], ids=["linear", "power"])
@given(cuts=st.sets(st.integers(1, 11), max_size=5))
@settings(max_examples=20, deadline=None)
def test_any_cut_between_frames_gives_what_one_pass_gives(
    wanted: GruCtcSettings, cuts: set[int]
) -> None:
    network = build(wanted)
    samples = torch.randn(2, 48, 3, generator=torch.Generator().manual_seed(1))
    edges = [0, *sorted(4 * cut for cut in cuts), 48]
    state = network.initial_state(2)
    frames = []
    with torch.no_grad():
        full = network(samples, *network.initial_state(2))[0]
        for start, stop in itertools.pairwise(edges):
            log_probs, *following = network(samples[:, start:stop], *state)
            state = tuple(following)
            frames.append(log_probs)
    torch.testing.assert_close(torch.cat(frames, dim=1), full, atol=1e-5, rtol=0)


@pytest.mark.parametrize("wanted", [LINEAR, POWER], ids=["linear", "power"])
def test_no_frame_sees_a_later_sample(wanted: GruCtcSettings) -> None:
    network = build(wanted)
    samples = torch.randn(1, 40, 3, generator=torch.Generator().manual_seed(2))
    changed = samples.clone()
    changed[:, 20:] += 1.0
    with torch.no_grad():
        before = network(samples, *network.initial_state())[0]
        after = network(changed, *network.initial_state())[0]
    torch.testing.assert_close(before[:, :5], after[:, :5], atol=0, rtol=0)
    assert (before[:, 5:] - after[:, 5:]).abs().max() > 1e-3


def test_frames_are_log_probabilities() -> None:
    network = build(POWER)
    with torch.no_grad():
        log_probs, hidden, context = network(torch.randn(2, 12, 3), *network.initial_state(2))
    assert log_probs.shape == (2, 3, 5)
    assert hidden.shape == (2, 2, 7)
    assert context.shape == (2, 7, 3)
    torch.testing.assert_close(log_probs.exp().sum(dim=2), torch.ones(2, 3))


def test_the_seed_alone_decides_the_weights() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = build(LINEAR, seed=1), build(LINEAR, seed=1), build(LINEAR, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_refuses_a_kernel_shorter_than_its_patch() -> None:
    with pytest.raises(ValueError, match="kernel_samples: 3 must be >= patch_samples 10"):
        build(GruCtcSettings(n_inputs=1, n_symbols=2, kernel_samples=3))


def test_the_reference_model_is_the_one_the_benches_name() -> None:
    network = build(reference_settings())
    assert (network.gru.num_layers, network.gru.hidden_size) == (3, 256)
    assert network.head.out_features == 30
    assert network.filters.in_channels == 128
    assert network.filters.stride == (10,)
