"""Fits a network to examples, one step after the other, and may be killed at any of them.

A step is a function of its number, the weights and the optimiser's moments: what a checkpoint
holds is all there is, and a training that was killed ends with the weights it would have had.
"""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import nn

from pipeline.errors import UsageError
from pipeline.spec import Settings
from tools.training import checkpoint
from tools.training.checkpoint import Counters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from tools.training.examples import Examples
    from tools.training.learner import Learner


class TrainSettings(Settings, frozen=True):
    """How long and how fast; ``rate`` falls to zero as half a cosine after ``n_warm_up`` steps."""

    n_steps: int = 1500
    rate: float = 4e-3
    n_warm_up: int = 30
    weight_decay: float = 1e-4
    largest_gradient: float = 1.0
    seed: int = 0
    checkpoint_every: int = 100

    def rate_at(self, step: int) -> float:
        """Return the learning rate of ``step``."""
        warm = min(1.0, (step + 1) / self.n_warm_up)
        return self.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / self.n_steps))


def train(
    learner: Learner,
    examples: Examples,
    settings: TrainSettings,
    *,
    folder: Path,
    identity: str,
    on_step: Callable[[int, float], None] | None = None,
) -> None:
    """Train ``learner``; goes on from the checkpoint in ``folder`` where there is one.

    ``identity`` stands for the examples, the learner and its network. ``on_step`` hears how many
    steps are done and the loss.

    Raises:
        UsageError: the checkpoint is of other data or other settings.
        RecordingError: the checkpoint is damaged.
    """
    learner.train()
    optimiser = torch.optim.AdamW(
        learner.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
    )
    identity = _identity(identity, settings)
    counters = _resume(folder, learner, optimiser, identity)
    losses = list(counters.losses)
    with ThreadPoolExecutor(1) as ahead:  # the next batch is made while this one is learnt
        coming = ahead.submit(_batch, examples, counters.step, settings)
        for step in range(counters.step, settings.n_steps):
            batch = coming.result()
            if step + 1 < settings.n_steps:
                coming = ahead.submit(_batch, examples, step + 1, settings)
            losses.append(_step(learner, optimiser, batch, step, settings))
            if on_step is not None:
                on_step(step + 1, losses[-1])
            if (step + 1) % settings.checkpoint_every == 0 or step + 1 == settings.n_steps:
                done = Counters(
                    step=step + 1,
                    identity=identity,
                    tensors=f"step-{step + 1:06d}.safetensors",
                    losses=tuple(losses),
                )
                checkpoint.save(folder, done, _tensors(learner, optimiser))
    learner.eval()


def _batch(examples: Examples, step: int, settings: TrainSettings) -> Any:
    return examples.batch(step, progress=step / settings.n_steps)


def _step(
    learner: Learner,
    optimiser: torch.optim.Optimizer,
    batch: Any,
    step: int,
    settings: TrainSettings,
) -> float:
    """Take one step of gradient descent and return the loss."""
    torch.manual_seed(settings.seed * 1_000_003 + step)  # dropout must not know what came before
    for group in optimiser.param_groups:
        group["lr"] = settings.rate_at(step)
    loss = learner.loss(batch, progress=step / settings.n_steps)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(learner.parameters(), settings.largest_gradient)
    optimiser.step()
    return float(loss.detach())


def _tensors(learner: Learner, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return weights and moments under plain names."""
    tensors = {f"weights/{name}": tensor for name, tensor in learner.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"moments/{index}/{name}": tensor for name, tensor in moments.items()}
    return tensors


def _resume(
    folder: Path, learner: Learner, optimiser: torch.optim.Optimizer, identity: str
) -> Counters:
    """Load the checkpoint into learner and optimiser; return its counters, or fresh ones."""
    found = checkpoint.load(folder)
    if found is None:
        return Counters(step=0, identity=identity, tensors="")
    counters, tensors = found
    if counters.identity != identity:
        raise UsageError(
            f"{folder}: holds a training of other data or settings ({counters.step} steps done), "
            "must be of these; remove it or choose another --out"
        )
    moments: dict[int, dict[str, Tensor]] = {}
    weights: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "weights":
            weights[rest] = tensor
        else:
            index, _, moment = rest.partition("/")
            moments.setdefault(int(index), {})[moment] = tensor
    learner.load_state_dict(weights)
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    return counters


def _identity(identity: str, settings: TrainSettings) -> str:
    """Return a digest of all that decides the weights."""
    return hashlib.sha256(
        b"\0".join((identity.encode(), msgspec.json.encode(settings)))
    ).hexdigest()
