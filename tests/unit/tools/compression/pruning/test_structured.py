"""Units leave a network whole: what is left computes what the rest computed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.classifier import Classifier
from models.families import build
from models.seq2seq import Seq2SeqNetwork
from pipeline.errors import BundleError, UsageError
from tools.compression.pruning.structured import (
    choose,
    deafen,
    n_parameters,
    parse_amounts,
    remove,
    sparsity,
)
from tools.compression.pruning.units import EVEN, groups_of, kinds_of, n_left

SMALL = {
    "gru-ctc": {"n_features": 6, "n_hidden": 7, "n_layers": 3, "features": "power"},
    "speech-gru": {"n_hidden": 7, "n_layers": 2, "n_days": 2},
    "conformer-ctc": {"n_features": 6, "n_width": 12, "n_blocks": 2, "n_heads": 4, "n_context": 3},
    "recurrent": {"n_features": 6, "n_units": 5, "n_layers": 2, "n_decoder": 7, "n_keys": 6},
    "transformer": {
        "n_features": 6,
        "n_width": 12,
        "n_heads": 3,
        "n_inner": 9,
        "n_layers": 2,
        "n_decoder_layers": 2,
    },
    "eegnet": {"n_samples": 160, "n_temporal": 5, "n_pointwise": 6, "kernel_samples": 9},
}

EXACT = {
    "gru-ctc": ["hidden"],
    "speech-gru": ["hidden"],
    "conformer-ctc": ["heads", "inner"],
    "recurrent": ["hidden", "decoder", "keys"],
    "transformer": ["heads", "inner"],
    "eegnet": ["temporal", "pointwise"],
}
"""Kinds of which nothing is normalised over all units; places are given, which heads decide."""

KINDS = [(family, kind) for family, kinds in EXACT.items() for kind in kinds]


def network_of(family: str, seed: int = 0) -> Any:
    network: Any = build(family, {"n_inputs": 3, "n_symbols": 5, **SMALL[family]}, seed=seed)
    with torch.no_grad():
        for parameter in network.parameters():  # biases and tables that start as zeros count too
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(seed)))
        for name, buffer in network.named_buffers():  # a norm has counted something
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(torch.rand(buffer.shape, generator=generator(seed)))
    return network


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def outputs(network: Any, seed: int = 0) -> torch.Tensor:
    samples = torch.randn(2, 160, 3, generator=generator(seed))
    found: torch.Tensor
    with torch.no_grad():
        if isinstance(network, Seq2SeqNetwork):
            tokens, places = torch.tensor([[0, 1, 2, 3]] * 2), torch.tensor([[0.0, 1, 3, 4]] * 2)
            found = network.decode(network.encode(samples), tokens, places)[0]
        elif isinstance(network, Classifier):
            found = network(samples)
        else:
            found = network(samples, *network.initial_state(2))[0]
    return found


def random_kept(network: Any, family: str, amounts: dict[str, float], seed: int) -> Any:
    groups = groups_of(family, network.settings)
    scores = {g.name: torch.rand(g.n_units, generator=generator(seed)) for g in groups}
    return groups, choose(groups, scores, amounts)


@pytest.mark.parametrize(("family", "kind"), KINDS)
@settings(deadline=None)  # torch takes its time once
@given(amount=st.sampled_from([0.2, 0.5, 0.8]), seed=st.integers(0, 3))
def test_what_is_left_computes_as_if_nobody_read_what_is_gone(
    family: str, kind: str, amount: float, seed: int
) -> None:
    network = network_of(family, seed)
    groups, kept = random_kept(network, family, {kind: amount}, seed)
    deaf = copy.deepcopy(network)
    deafen(deaf, groups, kept)
    torch.testing.assert_close(
        outputs(remove(network, family, kept)), outputs(deaf), atol=3e-6, rtol=1e-5
    )


@pytest.mark.parametrize("family", list(SMALL))
def test_every_kind_goes_at_once_and_the_network_stays_of_its_family(family: str) -> None:
    network = network_of(family)
    before = copy.deepcopy(network.state_dict())
    groups, kept = random_kept(network, family, dict.fromkeys(kinds_of(family), 0.5), 1)
    small = remove(network, family, kept)
    assert type(small) is type(network)
    assert [g.n_units for g in groups_of(family, small.settings)] == [
        len(kept[group.name]) for group in groups
    ]
    assert torch.isfinite(outputs(small)).all()
    assert 0.3 < sparsity(network, small) < 0.9
    assert n_parameters(small) < n_parameters(network)
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, before[name])


@pytest.mark.parametrize("family", list(SMALL))
def test_nothing_asked_nothing_gone(family: str) -> None:
    network = network_of(family)
    _, kept = random_kept(network, family, {}, 0)
    assert torch.equal(outputs(remove(network, family, kept)), outputs(network))


@pytest.mark.parametrize("family", list(SMALL))
def test_removing_twice_is_removing_both(family: str) -> None:
    network, kind = network_of(family), kinds_of(family)[0]
    groups, first = random_kept(network, family, {kind: 0.2}, 1)
    once = remove(network, family, first)
    _, second = random_kept(once, family, {kind: 0.4}, 2)
    both = {g.name: first[g.name][second[g.name]] for g in groups}
    twice, at_once = remove(once, family, second), remove(network, family, both)
    for name, weight in at_once.state_dict().items():
        assert torch.equal(twice.state_dict()[name], weight)


@given(n_units=st.integers(1, 1000), amount=st.floats(0.0, 0.99))
def test_at_least_the_share_goes_and_one_unit_stays(n_units: int, amount: float) -> None:
    stays = n_left(n_units, amount)
    assert 1 <= stays <= n_units
    assert stays == 1 or n_units - stays >= amount * n_units - 1e-6
    if amount == 0.0:
        assert stays == n_units
    elif n_units >= 4 * EVEN and stays > EVEN:
        assert stays % EVEN == 0


def test_amounts_are_a_share_for_all_or_by_kind() -> None:
    assert parse_amounts("0.4", "gru-ctc") == {"hidden": 0.4, "features": 0.4}
    assert parse_amounts("hidden=0.5,features=0", "gru-ctc") == {"hidden": 0.5}


@pytest.mark.parametrize("text", ["", "much", "1", "-0.1", "heads=0.5", "hidden", "0.2,0.4", "nan"])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--amount: got"):
        parse_amounts(text, "gru-ctc")


def test_a_family_without_a_table_is_refused_by_name() -> None:
    with pytest.raises(BundleError, match="network.family: got braindecode, of which nothing"):
        kinds_of("braindecode")
