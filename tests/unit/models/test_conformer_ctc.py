from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.conformer_ctc import ConformerCtc, ConformerCtcSettings
from models.families import build
from pipeline.errors import UsageError
from tests.bundles import CHANNELS, LETTERS

if TYPE_CHECKING:
    from torch import Tensor


N_FRAMES = 30
SHAPE = ConformerCtcSettings(n_inputs=3, n_symbols=5, patch_samples=4, kernel_samples=11,
                             n_features=6, n_width=12, n_blocks=2, n_heads=3, n_context=4,
                             kernel_frames=3)  # fmt: skip


def network(shape: ConformerCtcSettings = SHAPE, *, seed: int = 1) -> ConformerCtc:
    """A network whose every parameter is random: fresh ones have zeros and ones that hide much."""
    torch.manual_seed(seed)
    made = ConformerCtc(shape).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def noise(n_rows: int, n_frames: int, *, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(n_rows, 4 * n_frames, 3, generator=generator)


def in_calls(net: ConformerCtc, samples: Tensor, edges: list[int]) -> Tensor:
    state = tuple(s.to(samples.dtype) for s in net.initial_state(len(samples)))
    shapes = [s.shape for s in state]
    frames = []
    for start, stop in itertools.pairwise(edges):
        log_probs, *following = net(samples[:, 4 * start : 4 * stop], *state)
        state = tuple(following)
        assert [s.shape for s in state] == shapes  # a call costs the same, however many there were
        frames.append(log_probs)
    return torch.cat(frames, dim=1)


@given(
    cuts=st.sets(st.integers(1, N_FRAMES - 1), max_size=12),
    n_context=st.sampled_from([1, 4, 7, 40]),
    kernel_frames=st.sampled_from([2, 5]),
)
@settings(max_examples=25, deadline=None)
def test_any_cut_between_frames_gives_what_one_pass_gives(
    cuts: set[int], n_context: int, kernel_frames: int
) -> None:
    shape = msgspec.structs.replace(SHAPE, n_context=n_context, kernel_frames=kernel_frames)
    net, samples, edges = network(shape), noise(2, N_FRAMES), [0, *sorted(cuts), N_FRAMES]
    with torch.no_grad():
        full = net(samples, *net.initial_state(2))[0]
        torch.testing.assert_close(in_calls(net, samples, edges), full, atol=1e-5, rtol=0)
        exact, samples = net.double(), samples.double()
        state = tuple(s.double() for s in net.initial_state(2))
        full = exact(samples, *state)[0]
        torch.testing.assert_close(in_calls(exact, samples, edges), full, atol=1e-9, rtol=0)


def test_no_frame_sees_a_later_sample() -> None:
    net, samples = network(), noise(1, N_FRAMES, seed=2)
    for frame in (1, 5, 17):
        changed = samples.clone()
        changed[:, 4 * frame :] += 1.0
        with torch.no_grad():
            before = net(samples, *net.initial_state())[0]
            after = net(changed, *net.initial_state())[0]
        torch.testing.assert_close(before[:, :frame], after[:, :frame], atol=0, rtol=0)
        assert (before[:, frame] - after[:, frame]).abs().max() > 1e-3


def test_a_frame_sees_no_further_back_than_the_blocks_reach() -> None:
    net, samples = network(), noise(1, N_FRAMES, seed=3)
    reach = SHAPE.n_blocks * (SHAPE.n_context + SHAPE.kernel_frames - 1) + 2  # 2: the wavelets
    changed = samples.clone()
    changed[:, :4] += 5.0
    with torch.no_grad():
        before = net(samples, *net.initial_state())[0]
        after = net(changed, *net.initial_state())[0]
    difference = (before - after).abs().amax(dim=2)[0]
    assert (difference[1 + reach :] == 0).all()
    assert (difference[: SHAPE.n_context] > 1e-3).all()


def test_zeros_at_first_are_an_empty_past() -> None:
    """What lies in cached frames that have not been changes nothing, until they have been."""
    net, samples = network(), noise(2, 3)
    context, filled, keys, values, convolved = net.initial_state(2)
    with torch.no_grad():
        empty = net(samples, context, filled, keys, values, convolved)[0]
        rubbish = net(samples, context, filled, keys + 9, values - 9, convolved)[0]
        been = net(samples, context, filled + 1, keys, values, convolved)[0]
    torch.testing.assert_close(rubbish, empty, atol=0, rtol=0)
    assert (been - empty).abs().max() > 1e-3


def test_rows_of_a_batch_do_not_hear_each_other() -> None:
    net, samples = network(), noise(3, 13)
    with torch.no_grad():
        together = net(samples, *net.initial_state(3))[0]
        alone = [net(row[None], *net.initial_state())[0] for row in samples]
    torch.testing.assert_close(torch.cat(alone), together, atol=1e-5, rtol=0)


def test_every_parameter_learns() -> None:
    net = network().train()
    log_probs, *_ = net(noise(2, 9), *net.initial_state(2))
    log_probs[..., 0].sum().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


LIVE = msgspec.structs.replace(
    SHAPE, n_inputs=len(CHANNELS), n_symbols=len(LETTERS), patch_samples=10, kernel_samples=25
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_samples": 10}, "kernel_samples: 10 must be > patch_samples 10"),
        ({"n_width": 10}, "n_width: 10 must be a multiple of n_heads 4"),
        ({"n_context": 0}, "n_context: 0 must be >= 1"),
        ({"kernel_frames": 1}, "kernel_frames: 1 must be >= 2"),
    ],
)
def test_refuses_a_shape_that_cannot_be(changes: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build("conformer-ctc", {"n_inputs": 2, "n_symbols": 3, **changes})
