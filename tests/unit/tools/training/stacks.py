"""Small stacks of layers whose gradients live, die or explode, and what they learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.training.learner import Learner

WIDTH, N_LAYERS, N_BATCH = 16, 14, 4


@dataclass(frozen=True)
class Rows:
    samples: np.ndarray


class RandomRows:
    n_batch = N_BATCH

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Rows:
        del progress
        samples = np.random.default_rng(step).standard_normal((N_BATCH, WIDTH))
        return Rows(samples.astype(np.float32)[rows or slice(None)])


class Stack(nn.Module):
    """Layers with weights of standard deviation ``gain / sqrt(WIDTH)``, and what lies between."""

    def __init__(self, between: nn.Module, *, gain: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(N_LAYERS))
        self.between = between
        draw = torch.Generator().manual_seed(0)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=gain / WIDTH**0.5, generator=draw)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.between(layer(x))
        return x


class Attending(nn.Module):
    """Rows that look at each other, and drop some of what they see."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.mix = nn.Linear(WIDTH, WIDTH)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.mix(x).reshape(1, 2, -1, 4)  # (1, 2, F, 4)
        weights = (heads @ heads.transpose(2, 3)).softmax(dim=3)  # (1, 2, F, F)
        return self.drop((weights @ heads).reshape(x.shape))


class Regression(Learner):
    """Learns to give ones back."""

    def loss(self, batch: Rows, *, progress: float) -> Tensor:
        del progress
        found = self.network(self.tensor(batch.samples))
        return functional.l1_loss(found, torch.ones_like(found))


def healthy() -> Regression:
    return Regression(Stack(nn.Tanh(), gain=1.2))


def vanishing() -> Regression:
    return Regression(Stack(nn.Sigmoid(), gain=0.5))


def exploding() -> Regression:
    return Regression(Stack(nn.Identity(), gain=5.0))
