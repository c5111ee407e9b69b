"""The published speech network: its arithmetic, streaming, export, and foreign weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families import build
from models.speech_gru import SpeechGru, SpeechGruSettings, load_published
from pipeline.errors import BundleError, UsageError

SMALL = {"n_inputs": 6, "n_symbols": 5, "n_hidden": 8, "n_layers": 2, "n_days": 3}


def small(**changes: int) -> SpeechGru:
    network = build("speech-gru", {**SMALL, **changes}, seed=1)
    assert isinstance(network, SpeechGru)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in [*network.day_weights, *network.day_biases]:
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network


def published_pass(weights: dict[str, Tensor], features: Tensor, *, day: int) -> Tensor:
    """What the paper's network gives, written out: patches of 14 frames, 4 apart."""
    x = features @ weights[f"day_weights.{day}"] + weights[f"day_biases.{day}"]
    x = x / (1 + x.abs())
    patches = [x[:, k : k + 14].reshape(len(x), -1) for k in range(0, x.shape[1] - 13, 4)]
    gru = nn.GRU(14 * x.shape[2], 8, 2, batch_first=True)
    gru.load_state_dict({n.removeprefix("gru."): t for n, t in weights.items() if "gru." in n})
    start = weights["h0"].expand(2, len(x), 8).contiguous()
    frames, _ = gru(torch.stack(patches, dim=1), start)
    logits = frames @ weights["out.weight"].T + weights["out.bias"]
    return functional.log_softmax(logits, dim=2)


def as_published(network: SpeechGru, prefix: str = "") -> dict[str, Tensor]:
    names = {name: name.replace("head.", "out.") for name in network.state_dict()}
    return {f"{prefix}{names[n]}": t.clone() for n, t in network.state_dict().items()}


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_published_weights_give_what_the_published_network_gives(prefix: str) -> None:
    weights = as_published(small(), prefix)
    network = load_published(weights, day=2)
    assert network.settings == SpeechGruSettings(**SMALL, day=2)
    features = torch.randn(3, 30, 6, generator=torch.Generator().manual_seed(3))
    expected = published_pass(as_published(network), features, day=2)  # (3, 5, 5)
    context = features[:, :10] @ network.day_weights[2] + network.day_biases[2]
    hidden, _ = network.initial_state(3)
    with torch.no_grad():
        got = network(features[:, 10:], hidden, functional.softsign(context))[0]
    assert got.shape == expected.shape == (3, 5, 5)
    assert torch.allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_calls_equal_one_pass(cut: int) -> None:
    network = small(day=1)
    features = torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(4))
    state = network.initial_state(2)
    assert all(not tensor.any() for tensor in state)
    with torch.no_grad():
        whole = network(features, *state)[0]
        pieces = []
        for start in range(0, 40, 4 * cut):
            frames, *state = network(features[:, start : start + 4 * cut], *state)
            pieces.append(frames)
    assert torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-6)
    assert whole.shape == (2, 10, 5)


def test_a_frame_depends_on_its_day_and_on_nothing_later() -> None:
    network, other = small(day=0), small(day=2)
    features = torch.randn(1, 24, 6, generator=torch.Generator().manual_seed(5))
    changed = features.clone()
    changed[:, 12:] += 1.0
    with torch.no_grad():
        before = network(features, *network.initial_state())[0]
        after = network(changed, *network.initial_state())[0]
        of_other_day = other(features, *other.initial_state())[0]
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:], atol=1e-3)
    assert not torch.allclose(before, of_other_day, atol=1e-3)


def test_the_published_size() -> None:
    with torch.device("meta"):
        network = SpeechGru(SpeechGruSettings(n_inputs=512, n_symbols=41))
    assert sum(p.numel() for p in network.parameters()) == 44_315_177
    of_days = sum(p.numel() for p in [*network.day_weights, *network.day_biases])
    assert 44_315_177 - of_days + of_days // 45 == 32_758_313


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"out.weight": None}, "no out.weight"),
        ({"h0": None}, "h0"),
        ({"extra": torch.zeros(1)}, "extra"),
        ({"gru.weight_hh_l1": torch.zeros(2, 2)}, "gru.weight_hh_l1"),
        ({"out.weight": torch.zeros(5)}, "do not fit together"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: dict[str, Tensor], problem: str) -> None:
    weights = {**as_published(small()), **change}
    with pytest.raises(BundleError, match=problem):
        load_published({n: t for n, t in weights.items() if t is not None}, day=0)


def test_a_day_that_is_not_there() -> None:
    with pytest.raises(BundleError, match="day: got 3, wanted 0 to 2"):
        load_published(as_published(small()), day=3)
    with pytest.raises(UsageError, match="day: got -1"):
        build("speech-gru", {**SMALL, "day": -1})
    with pytest.raises(UsageError, match="kernel_samples: 2 must be >= patch_samples 4"):
        build("speech-gru", {**SMALL, "kernel_samples": 2})
