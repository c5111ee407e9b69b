"""How much each unit is worth, by its weights or by what the loss would lose with it.

Taylor: a gate of 1 stands where others read the unit. What the loss changes when the gate closes is
to first order minus its gradient, the sum of weight times gradient over those that read it; squared
and averaged over batches (Molchanov et al. 2019, equation 8 with gates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tools.compression.pruning.units import Group
    from tools.training.data.examples import Examples
    from tools.training.learner import Learner

Importance = Literal["taylor", "magnitude"]

CALIBRATION_SEED = 77


def magnitude(network: nn.Module, groups: list[Group]) -> dict[str, Tensor]:
    """Return the length of all the weights of each unit, (n_units,) by the group's name."""
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    return {
        group.name: torch.stack(
            [
                place.view(weights[place.name], group.n_units).flatten(1).square().sum(dim=1)
                for place in group.places
                if place.name in weights  # else a buffer, see Place
            ]
        )
        .sum(dim=0)
        .sqrt()
        for group in groups
    }


def taylor(
    learner: Learner, groups: list[Group], examples: Examples, *, n_batches: int
) -> dict[str, Tensor]:
    """Return the mean square of each unit's first-order loss, (n_units,) by the group's name.

    Args:
        learner: of the network, with the loss that matters.
        groups: of the network.
        examples: of which the first batches are heard.
        n_batches: how many.
    """
    found = {group.name: torch.zeros(group.n_units) for group in groups}
    weights = dict(learner.network.named_parameters())
    learner.eval()
    for number in range(n_batches):
        torch.manual_seed(CALIBRATION_SEED + number)
        learner.zero_grad()
        loss = learner.loss(examples.batch(number, progress=1.0), progress=1.0)
        torch.autograd.backward(loss)
        with torch.no_grad():
            for group in groups:
                found[group.name] += _closed(group, weights).square() / n_batches
    learner.zero_grad()
    return found


def _closed(group: Group, weights: dict[str, nn.Parameter]) -> Tensor:
    """Return the gradient of each unit's gate, (n_units,)."""
    total = torch.zeros(group.n_units)
    for place in group.places:
        if place.reads and (weight := weights[place.name]).grad is not None:
            product = weight * weight.grad
            total += place.view(product, group.n_units).flatten(1).sum(dim=1)
    return total
