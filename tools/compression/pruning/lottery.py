"""Lottery tickets: the trained network says which units, the early weights say where they begin.

Frankle and Carbin 2019, rewound to weights of a few steps as in Frankle et al. 2020, with whole
units in place of single weights, so that the ticket is a small network. It is worth something if it
ends better than a network of its size that begins anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from models.families import build
from models.weights import unpack_early
from tools.compression.pruning.found import CUT, SCRATCH, TICKET, Found
from tools.compression.pruning.structured import remove, sparsity

if TYPE_CHECKING:
    from tools.compression.pruning.prunable import Prunable
    from tools.compression.pruning.structured import Amounts


def draw_ticket(original: Prunable, amounts: Amounts, *, n_steps: int | None) -> Found:
    """Return the ticket and a fresh network of its size, trained alike, as the recipe says.

    Args:
        original: what is pruned.
        amounts: shares that go.
        n_steps: of both trainings; the recipe's where None.
    """
    recipe, family, network = original.recipe, original.family, original.network
    early, what = unpack_early(original.bundle), "the weights kept early in the training"
    if early is None:
        shape, what = msgspec.to_builtins(network.settings), "the very first weights: none are kept"
        early = build(family, shape, seed=recipe.training.seed)
    kept = original.chosen(network, amounts)
    ticket: Any = remove(early, family, kept)
    shape = msgspec.to_builtins(ticket.settings)
    fresh = build(family, shape, seed=recipe.training.seed + 1)
    n_steps = n_steps or recipe.training.n_steps
    train = original.tuner.train_anew
    networks = {
        CUT: remove(network, family, kept),
        TICKET: train(ticket, name="ticket", n_steps=n_steps),
        SCRATCH: train(fresh, name="scratch", n_steps=n_steps),
    }
    note = (
        f"The ticket began with {what}. It and the network from scratch had {n_steps} steps and no"
        " teacher."
    )
    return Found(networks, TICKET, sparsity(network, ticket), [note])
