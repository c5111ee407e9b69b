from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.families import build
from models.seq2seq import BEHIND, END, Seq2SeqNetwork, place_of
from pipeline.errors import UsageError

COMMON = {"n_inputs": 3, "n_symbols": 6, "patch_samples": 4, "kernel_samples": 9, "n_features": 5,
          "max_symbols": 8, "back_frames": 2, "ahead_frames": 3}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    "recurrent": {**COMMON, "n_units": 5, "n_layers": 2, "n_decoder": 7, "n_keys": 6},
    "transformer": {**COMMON, "n_width": 8, "n_heads": 2, "n_inner": 9, "n_layers": 2,
                    "n_decoder_layers": 2, "reach_frames": 3},
}  # fmt: skip


@pytest.fixture(scope="module", params=SHAPES)
def network(request: pytest.FixtureRequest) -> Seq2SeqNetwork:
    made: Any = build(request.param, SHAPES[request.param], seed=1)
    for parameter in made.parameters():  # biases that start at zero would hide what they do
        parameter.data += 0.2 * drawn(*parameter.shape)
    assert isinstance(made, Seq2SeqNetwork)
    return made


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def symbols(n_rows: int, n_steps: int) -> Tensor:
    tokens = torch.randint(1, 6, (n_rows, n_steps), generator=torch.Generator().manual_seed(2))
    tokens[:, 0] = END
    return tokens


@torch.no_grad()
def test_one_pass_equals_steps_over_the_memory_of_one_window(network: Seq2SeqNetwork) -> None:
    samples, tokens = drawn(1, 40, 3), symbols(4, 8)
    log_probs, attention = network(samples.expand(4, -1, -1), tokens)  # (4, 8, 6), (4, 8, 10)
    memory, cache = network.encode(samples), network.initial_cache(4)
    for k in range(8):
        stepped, attended, *following = network.step(
            tokens[:, k], torch.tensor([k]), memory, *cache
        )
        assert [t.shape for t in following] == [t.shape for t in cache]
        cache = tuple(following)
        torch.testing.assert_close(stepped, log_probs[:, k], atol=1e-5, rtol=0)
        torch.testing.assert_close(attended, attention[:, k], atol=1e-5, rtol=0)
    torch.testing.assert_close(log_probs.exp().sum(dim=2), torch.ones(4, 8))
    torch.testing.assert_close(attention.sum(dim=2), torch.ones(4, 8))


@torch.no_grad()
def test_with_places_given_all_at_once_equals_step_by_step(network: Seq2SeqNetwork) -> None:
    memory, tokens = network.encode(drawn(3, 40, 3)), symbols(3, 8)
    places = 3.0 + 2.0 * drawn(3, 8)
    together = network.decode(memory, tokens, places)
    stepwise = Seq2SeqNetwork.decode(network, memory, tokens, places)
    torch.testing.assert_close(together, stepwise, atol=1e-5, rtol=0)
    own = network.decode(memory, tokens)
    places = torch.cat([torch.zeros(3, 1), place_of(own[1])[:, :-1, 0]], dim=1)
    torch.testing.assert_close(network.decode(memory, tokens, places), own, atol=1e-5, rtol=0)


@torch.no_grad()
def test_rows_of_the_cache_may_be_put_in_another_order(network: Seq2SeqNetwork) -> None:
    memory, tokens = network.encode(drawn(1, 40, 3)), symbols(4, 4)
    _, _, *cache = network.step(tokens[:, 0], torch.tensor([0]), memory, *network.initial_cache(4))
    _, _, *cache = network.step(tokens[:, 1], torch.tensor([1]), memory, *cache)
    parents = torch.tensor([2, 0, 0, 3])
    straight = network.step(tokens[:, 2], torch.tensor([2]), memory, *cache)
    chosen = [tensor[parents] for tensor in cache]
    ordered = network.step(tokens[:, 2][parents], torch.tensor([2]), memory, *chosen)
    for one, other in zip(straight, ordered, strict=True):
        torch.testing.assert_close(one[parents], other)
    assert not torch.allclose(straight[0][0], straight[0][2]), "the rows are alike"


@torch.no_grad()
@given(n_steps=st.integers(1, 7))
@settings(max_examples=7, deadline=None)
def test_no_step_knows_what_comes_after_it(network: Seq2SeqNetwork, n_steps: int) -> None:
    samples, tokens = drawn(2, 40, 3), symbols(2, 8)
    other = tokens.clone()
    other[:, n_steps:] = END
    places = 4.0 + drawn(2, 8)
    memory = network.encode(samples)
    for given_places in (None, places):
        full = network.decode(memory, tokens, given_places)
        cut = network.decode(memory, other, given_places)
        for one, two in zip(full, cut, strict=True):
            torch.testing.assert_close(one[:, :n_steps], two[:, :n_steps])


@torch.no_grad()
def test_what_stands_behind_a_window_changes_nothing(network: Seq2SeqNetwork) -> None:
    tokens, n_frames = symbols(3, 5), torch.tensor([10, 6, 8])
    samples = drawn(3, 40, 3)
    for row, n in enumerate(n_frames):
        samples[row, 4 * n :] = 0.0
    memory = network.remember(network.frames(samples, n_frames), n_frames)
    log_probs, attention = network.decode(memory, tokens)
    assert (memory[1, 6:, -1] == BEHIND).all()
    for row, n in enumerate(n_frames):
        alone = network(samples[row : row + 1, : 4 * n], tokens[row : row + 1])
        torch.testing.assert_close(log_probs[row], alone[0][0], atol=1e-5, rtol=0)
        torch.testing.assert_close(attention[row, :, :n], alone[1][0], atol=1e-5, rtol=0)
        assert (attention[row, :, n:] == 0.0).all()


@torch.no_grad()
def test_a_step_attends_by_where_the_one_before_was(network: Seq2SeqNetwork) -> None:
    memory, tokens = network.encode(drawn(1, 40, 3)), symbols(1, 1)
    *before, _ = network.initial_cache(1)
    first, later = torch.tensor([0]), torch.tensor([1])
    near, far = torch.tensor([[2.0]]), torch.tensor([[7.0]])
    attended = [network.step(tokens[:, 0], later, memory, *before, p)[1] for p in (near, far)]
    assert not torch.allclose(attended[0], attended[1])
    attended = [network.step(tokens[:, 0], first, memory, *before, p)[1] for p in (near, far)]
    torch.testing.assert_close(attended[0], attended[1])


@given(place=st.floats(-5.0, 15.0))
def test_frames_are_told_apart_by_their_offset(place: float) -> None:
    network: Any = build("recurrent", SHAPES["recurrent"])
    near = network.nearness(torch.tensor([place], dtype=torch.float64), 10)  # (F, N)
    assert near.shape == (10, 2 + 1 + 3)
    torch.testing.assert_close(near.sum(dim=1), torch.ones(10, dtype=torch.float64))
    offset = near @ torch.arange(-2.0, 4.0, dtype=torch.float64)
    expected = (torch.arange(10, dtype=torch.float64) - place).clamp(-2, 3)
    torch.testing.assert_close(offset, expected)


def test_a_frame_sees_as_far_ahead_as_back() -> None:
    network: Any = build("recurrent", SHAPES["recurrent"])
    silence, click = torch.zeros(1, 40, 3), torch.zeros(1, 40, 3)
    click[0, 21] = 5.0  # frame 5 has samples 20 to 23, sees 18 to 26 of kernel_samples 9
    with torch.no_grad():
        differs = (network.hear(silence) != network.hear(click)).any(dim=2)[0]
    assert differs.nonzero()[:, 0].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("transformer", "n_width", 9),
        ("transformer", "n_heads", 3),
        ("recurrent", "kernel_samples", 3),
    ],
)
def test_shapes_that_cannot_be_are_refused(family: str, key: str, value: int) -> None:
    with pytest.raises(UsageError, match=r"n_width|kernel_samples"):
        build(family, SHAPES[family] | {key: value})


def test_the_place_is_around_the_peak_of_attention() -> None:
    attention = torch.zeros(2, 20)
    attention[0, 4:6] = 0.3
    attention[0, 15] = 0.4  # a peak far from the rest
    attention[1, 4:7] = torch.tensor([0.2, 0.5, 0.3])
    torch.testing.assert_close(place_of(attention), torch.tensor([[15.0], [5.1]]))
