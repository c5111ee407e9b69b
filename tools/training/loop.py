"""Fits a GRU-CTC network to examples, one step after the other, and may be killed at any of them.

A step is a function of its number, the weights and the optimiser's moments: what a checkpoint
holds is all there is, and a training that was killed ends with the weights it would have had.
"""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import torch
from torch import nn
from torch.nn import functional

from models.gru_ctc import GruCtc, GruCtcSettings, build
from pipeline.errors import UsageError
from pipeline.spec import Settings
from tools.training import checkpoint
from tools.training.checkpoint import Counters
from tools.training.examples import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from tools.training.examples import Batch, Examples


class TrainSettings(Settings, frozen=True):
    """How long and how fast; ``rate`` falls to zero as half a cosine after ``n_warm_up`` steps.

    Where examples know which symbol was on when, a second head learns to name the one of
    ``timing_delay_frames`` ago, its loss weighted by ``timing_weight``; it is dropped in the end.
    CTC alone finds the same at last, in several times as many steps.
    """

    n_steps: int = 1500
    rate: float = 4e-3
    n_warm_up: int = 30
    weight_decay: float = 1e-4
    largest_gradient: float = 1.0
    seed: int = 0
    checkpoint_every: int = 100
    timing_weight: float = 1.0
    timing_delay_frames: int = 3

    def rate_at(self, step: int) -> float:
        """Return the learning rate of ``step``."""
        warm = min(1.0, (step + 1) / self.n_warm_up)
        return self.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / self.n_steps))


class Learner(nn.Module):
    """The network, and the head for timing that only training has."""

    def __init__(self, shape: GruCtcSettings, *, seed: int) -> None:
        super().__init__()
        self.network = build(shape, seed=seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.timing = nn.Linear(shape.n_hidden, shape.n_symbols)

    def timing_loss(self, frames: Tensor, on: Tensor, settings: TrainSettings) -> Tensor:
        """Return the mean nats of naming the symbol ``on`` (B, F) a delay before each frame."""
        delay = min(settings.timing_delay_frames, on.shape[1])
        unknown = torch.full_like(on[:, :delay], UNKNOWN)
        target = torch.cat([unknown, on[:, : on.shape[1] - delay]], dim=1)  # (B, F)
        if bool((target == UNKNOWN).all()):
            return frames.new_zeros(())
        scores = self.timing(frames).transpose(1, 2)  # (B, V, F)
        return functional.cross_entropy(scores, target, ignore_index=UNKNOWN)


def train(
    shape: GruCtcSettings,
    examples: Examples,
    settings: TrainSettings,
    *,
    folder: Path,
    data_digest: str,
    on_step: Callable[[int, float], None] | None = None,
) -> GruCtc:
    """Return the trained network; goes on from the checkpoint in ``folder`` where there is one.

    ``data_digest`` stands for the examples. ``on_step`` hears how many steps are done and the loss.

    Raises:
        UsageError: the checkpoint is of other data or other settings.
        RecordingError: the checkpoint is damaged.
    """
    learner = Learner(shape, seed=settings.seed).train()
    optimiser = torch.optim.AdamW(
        learner.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
    )
    identity = _identity(shape, settings, data_digest)
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
    return learner.network.eval()


def _batch(examples: Examples, step: int, settings: TrainSettings) -> Batch:
    return examples.batch(step, progress=step / settings.n_steps)


def _step(
    learner: Learner,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    step: int,
    settings: TrainSettings,
) -> float:
    """Take one step of gradient descent and return the loss: nats a symbol, as CTC counts them."""
    torch.manual_seed(settings.seed * 1_000_003 + step)  # dropout must not know what came before
    for group in optimiser.param_groups:
        group["lr"] = settings.rate_at(step)
    samples = torch.from_numpy(batch.samples)  # (B, T, C)
    network = learner.network
    frames = network.encode(samples, *network.initial_state(len(samples)))[0]  # (B, F, H)
    log_probs = functional.log_softmax(network.head(frames), dim=2)  # (B, F, V)
    loss = functional.ctc_loss(
        log_probs.transpose(0, 1),  # (F, B, V)
        torch.from_numpy(batch.labels),
        torch.from_numpy(batch.n_frames),
        torch.from_numpy(batch.n_labels),
        zero_infinity=True,
    )
    timing = learner.timing_loss(frames, torch.from_numpy(batch.on), settings)
    optimiser.zero_grad()
    (loss + settings.timing_weight * timing).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(learner.parameters(), settings.largest_gradient)
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


def _identity(shape: GruCtcSettings, settings: TrainSettings, data_digest: str) -> str:
    """Return a digest of all that decides the weights."""
    parts = (msgspec.json.encode(shape), msgspec.json.encode(settings), data_digest.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
