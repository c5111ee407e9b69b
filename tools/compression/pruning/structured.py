"""Removes whole units: the least important of every layer, and every weight that served them.

What is left computes what the network would compute if nothing read those units; only what is
normalised over all features changes, as there are fewer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from models.families import build
from pipeline.errors import UsageError
from tools.compression.pruning.units import groups_of, kinds_of, n_left, smaller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from tools.compression.pruning.units import Group

Amounts = dict[str, float]
"""Share of the units of each kind that goes."""

Kept = dict[str, "Tensor"]
"""Numbers of the units that stay, ascending, by the name of their group."""


def parse_amounts(text: str, family: str) -> Amounts:
    """Return the share that goes of each kind: ``0.4`` for all, or ``hidden=0.5,features=0.2``.

    Raises:
        UsageError: another form, a kind that the family has not, or a share outside [0, 1).
    """
    kinds = kinds_of(family)
    named = [part.partition("=") for part in text.split(",")]
    try:
        if len(named) == 1 and not named[0][1]:
            amounts = dict.fromkeys(kinds, float(text))
        else:
            amounts = {kind.strip(): float(value) for kind, _, value in named}
    except ValueError:
        raise UsageError(
            f"--amount: got {text!r}, wanted a share such as 0.4, or {kinds[0]}=0.4"
        ) from None
    for kind, share in amounts.items():
        if kind not in kinds:
            raise UsageError(
                f"--amount: got {kind!r}, wanted some of {', '.join(kinds)} of {family}"
            )
        if not 0.0 <= share < 1.0:
            raise UsageError(f"--amount: got {share:g} of {kind}, wanted 0 or more and less than 1")
    return {kind: share for kind, share in amounts.items() if share}


def choose(
    groups: list[Group],
    scores: Mapping[str, Tensor],
    amounts: Amounts,
    *,
    of: Mapping[str, int] | None = None,
) -> Kept:
    """Return the most important units of each group; ``scores`` (n_units,) by its name.

    Shares are of what each group has, or had once: ``of``, by its name.
    """
    kept = {}
    for group in groups:
        n_before = group.n_units if of is None else of[group.name]
        n = min(group.n_units, n_left(n_before, amounts.get(group.kind, 0.0)))
        best = torch.sort(scores[group.name], descending=True, stable=True).indices[:n]
        kept[group.name] = best.sort().values
    return kept


def remove(network: Any, family: str, kept: Kept) -> Any:
    """Return a smaller network with the weights of ``network`` that are left; it stays as it is."""
    groups = groups_of(family, network.settings)
    sizes = {group.kind: len(kept[group.name]) for group in groups}
    made: Any = build(family, smaller(family, network.settings, sizes))
    stays = is_left(groups, network.state_dict(), kept)
    wanted = made.state_dict()
    left = {
        name: weight[stays[name]].reshape(wanted[name].shape)
        for name, weight in network.state_dict().items()
    }
    made.load_state_dict(left)
    return made


def is_left(groups: list[Group], weights: Mapping[str, Tensor], kept: Kept) -> dict[str, Tensor]:
    """Say of every weight whether it stays, by name; each like its tensor."""
    stays = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    for group in groups:
        gone = ~torch.isin(torch.arange(group.n_units), kept[group.name])
        for place in group.places:
            place.view(stays[place.name], group.n_units)[gone] = False
    return stays


@torch.no_grad()
def deafen(network: nn.Module, groups: list[Group], kept: Kept) -> None:
    """Let nothing read the units that are not kept, in place."""
    weights = dict(network.named_parameters())
    for group in groups:
        gone = ~torch.isin(torch.arange(group.n_units), kept[group.name])
        for place in group.places:
            if place.reads:
                place.view(weights[place.name], group.n_units)[gone] = 0.0


def sparsity(before: nn.Module, after: nn.Module) -> float:
    """Return the share of the parameters that went."""
    return 1.0 - n_parameters(after) / n_parameters(before)


def n_parameters(network: nn.Module) -> int:
    """Return how many numbers a network has learnt."""
    return sum(parameter.numel() for parameter in network.parameters())
