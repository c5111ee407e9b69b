"""What turns a batch into the loss that training lowers: one kind of learner for each kind of head.

A learner holds the network and whatever only training needs. The loop knows no batch from inside:
it hands what the examples made to the learner they were made for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import nn
from torch.nn import functional

from pipeline.spec import Settings
from tools.training.data.examples import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.network import CtcNetwork
    from tools.training.data.examples import Batch


class Opaque:
    """A batch on its way through Fabric, which would take any other container apart."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch


class Learner(nn.Module, ABC):
    """A ``network`` and how wrong it is; parameters beside the network's are dropped in the end.

    ``parts`` may hold what the last loss was the sum of, by name, for the log: detached, and left
    on their device.
    """

    network: nn.Module

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.parts: dict[str, Tensor | float] = {}

    @abstractmethod
    def loss(self, batch: Any, *, progress: float) -> Tensor:
        """Return the loss of ``batch``, a scalar; ``progress`` in [0, 1) through the training.

        It is the mean over the batch's rows of what each would give alone, so that processes which
        share a batch arrive at the gradient of the whole.
        """

    def forward(self, given: Opaque, *, progress: float) -> Tensor:
        """Return the loss; what Fabric and its processes call."""
        return self.loss(given.batch, progress=progress)

    def measure(self, batch: Any) -> dict[str, Tensor | float]:
        """Return what is to be known of a validation batch: figures that fall as it gets better."""
        return {"loss": self.loss(batch, progress=1.0)}

    def tensor(self, array: NDArray[np.generic]) -> Tensor:
        """Return ``array`` as a tensor on the device of the parameters."""
        device = next(self.parameters()).device
        return torch.from_numpy(array).to(device, non_blocking=True)


class CtcLearnerSettings(Settings, frozen=True):
    """How much timing counts.

    Where examples know which symbol was on when, a second head learns to name the one of
    ``timing_delay_frames`` ago, its loss weighted by ``timing_weight``. CTC alone finds the same at
    last, in several times as many steps.
    """

    timing_weight: float = 1.0
    timing_delay_frames: int = 3


class CtcLearner(Learner):
    """A network that learns by CTC, and the head for timing that only training has."""

    network: CtcNetwork

    def __init__(
        self, network: CtcNetwork, settings: CtcLearnerSettings | None = None, *, seed: int
    ) -> None:
        super().__init__(network)
        self.settings = settings or CtcLearnerSettings()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.timing = nn.Linear(network.head.in_features, network.head.out_features)

    def loss(self, batch: Batch, *, progress: float) -> Tensor:
        """Return nats a symbol, as CTC counts them, and those of timing."""
        return self.loss_and_scores(batch)[0]

    def loss_and_scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss, and the symbols' scores (B, F, V) of every frame."""
        samples = self.tensor(batch.samples)  # (B, T, C)
        state = tuple(s.to(samples.device) for s in self.network.initial_state(len(samples)))
        frames = self.network.encode(samples, *state)[0]  # (B, F, H)
        scores = self.network.head(frames).float()  # (B, F, V)
        n_frames = self.tensor(batch.n_frames)  # (B,)
        ctc = functional.ctc_loss(
            functional.log_softmax(scores, dim=2).transpose(0, 1),  # (F, B, V)
            self.tensor(batch.labels),
            n_frames,
            self.tensor(batch.n_labels),
            zero_infinity=True,
        )
        timing = self.timing_loss(frames, self.tensor(batch.on), n_frames)
        self.parts = {"ctc": ctc.detach(), "timing": timing.detach()}
        return ctc + self.settings.timing_weight * timing, scores

    def measure(self, batch: Batch) -> dict[str, Tensor | float]:
        """Return the loss, and the greedy reading's errors per symbol of the truth."""
        loss = self.loss(batch, progress=1.0)
        samples = self.tensor(batch.samples)  # (B, T, C)
        state = tuple(s.to(samples.device) for s in self.network.initial_state(len(samples)))
        best = self.network(samples, *state)[0].argmax(dim=2).cpu().numpy()  # (B, F)
        truths = np.split(batch.labels, np.cumsum(batch.n_labels)[:-1])
        n_wrong = sum(
            Levenshtein.distance(truth.tolist(), collapse(frames[:n_frames].tolist()))
            for truth, frames, n_frames in zip(truths, best, batch.n_frames, strict=True)
        )
        return {"loss": loss, "cer": n_wrong / max(len(batch.labels), 1)}

    def timing_loss(self, frames: Tensor, on: Tensor, n_frames: Tensor) -> Tensor:
        """Return the mean nats of naming the symbol ``on`` (B, F) a delay before each frame.

        The mean is over a row's frames where it is known, then over rows.
        """
        n_all = on.shape[1]
        delay = min(self.settings.timing_delay_frames, n_all)
        unknown = torch.full_like(on[:, :delay], UNKNOWN)  # (B, D)
        target = torch.cat([unknown, on[:, : n_all - delay]], dim=1)  # (B, F)
        is_padding = torch.arange(n_all, device=on.device) >= n_frames[:, None]  # (B, F)
        target = target.masked_fill(is_padding, UNKNOWN)  # (B, F)
        scores = self.timing(frames).float().transpose(1, 2)  # (B, V, F)
        nats = functional.cross_entropy(scores, target, ignore_index=UNKNOWN, reduction="none")
        n_known = (target != UNKNOWN).sum(dim=1).clamp(min=1)  # (B,)
        return (nats.sum(dim=1) / n_known).mean()


def collapse(frames: list[int]) -> list[int]:
    """Return the symbols that a path of frames stands for: repeats are one, blanks none."""
    return [symbol for symbol, _ in groupby(frames) if symbol]
