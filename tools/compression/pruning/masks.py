"""Single weights set to zero, the smallest of every tensor, and kept there while training goes on.

The network stays as large as it was: files get smaller where they are packed, and nothing gets
faster, since a dense runtime multiplies by zero as it does by any other number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

Masks = dict[str, "Tensor"]
"""Of every weight with two axes or more whether each of its numbers stays, by name."""


def smallest_out(network: nn.Module, amount: float) -> Masks:
    """Return masks that leave out the share ``amount`` of each tensor, the smallest by magnitude.

    Biases and norms stay: they are few, and each stands for a whole row.
    """
    masks = {}
    for name, weight in network.named_parameters():
        if weight.dim() < 2:
            continue
        n_out = int(amount * weight.numel() + 1e-9)
        order = torch.argsort(weight.detach().abs().flatten(), stable=True)
        mask = torch.ones(weight.numel(), dtype=torch.bool)
        mask[order[:n_out]] = False
        masks[name] = mask.reshape(weight.shape)
    return masks


@torch.no_grad()
def hold(network: nn.Module, masks: Masks) -> None:
    """Set to zero what the masks leave out, in place."""
    for name, weight in network.named_parameters():
        if name in masks:
            weight.mul_(masks[name])


def zeros_share(network: nn.Module) -> float:
    """Return the share of all parameters that are zero."""
    parameters = list(network.parameters())
    n_zeros = sum(int((parameter == 0).sum()) for parameter in parameters)
    return n_zeros / sum(parameter.numel() for parameter in parameters)
