"""How a classifier of windows learns: which symbol, or whether a stimulus was attended to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from pipeline.spec import Settings
from tools.training.data.augment import Augmentation, augment
from tools.training.data.example import Example
from tools.training.learner import Learner

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.classifier import Classifier
    from tools.training.data.trial_windows import TrialWindows


@dataclass(frozen=True, slots=True)
class TrialBatch:
    """Windows ``samples`` (B, T, C) and their ``labels`` (B,)."""

    samples: NDArray[np.float32]
    labels: NDArray[np.int64]


class TrialExamples:
    """Windows in an order that is new in every epoch, each made a little different every time.

    Args:
        windows: all there are.
        n_batch: a step; fewer where there are fewer.
        seed: of order and augmentation.
        augmentation: what is done to them.
        rate_hz: of the samples.
        n_channels: inputs of one band.
    """

    def __init__(
        self,
        windows: TrialWindows,
        *,
        n_batch: int,
        seed: int,
        augmentation: Augmentation,
        rate_hz: float,
        n_channels: int,
    ) -> None:
        self.n_batch = min(n_batch, len(windows))
        self._windows, self._seed = windows, seed
        self._augmentation, self._rate_hz, self._n_channels = augmentation, rate_hz, n_channels

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> TrialBatch:
        """Return the batch of ``step``, or ``rows`` of it; ``progress`` makes no difference."""
        del progress
        epoch, place = divmod(step, len(self._windows) // self.n_batch)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._windows))
        chosen = order[place * self.n_batch : (place + 1) * self.n_batch]
        samples = [
            self._window(int(chosen[row]), (self._seed, step, row))
            for row in range(self.n_batch)[rows or slice(None)]
        ]
        labels = self._windows.labels[chosen[rows or slice(None)]]
        return TrialBatch(np.stack(samples), labels.astype(np.int64))

    def _window(self, k: int, number: tuple[int, int, int]) -> NDArray[np.float32]:
        return augment(
            Example(self._windows.samples[k], (1,)),
            self._augmentation,
            number=number,
            rate_hz=self._rate_hz,
            n_channels=self._n_channels,
        ).samples


class ClassifierSettings(Settings, frozen=True, kw_only=True):
    """``smoothing``: how much belief is left to the other symbols (Szegedy et al. 2016).

    Raises:
        ValueError: it is out of its range.
    """

    smoothing: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.smoothing < 1.0:
            raise ValueError(f"smoothing: got {self.smoothing}, wanted 0 or more, below 1")


class ClassifierLearner(Learner):
    """A classifier that learns from windows; their scale becomes the network's.

    Of stimuli it learns a likelihood ratio: how many of ``windows`` were attended to is added while
    it learns, and so is no part of what it says afterwards.
    """

    network: Classifier

    def __init__(
        self, network: Classifier, settings: ClassifierSettings, *, windows: TrialWindows
    ) -> None:
        super().__init__(network)
        self.settings = settings
        scale = windows.samples.std(axis=(0, 1), dtype=np.float64)  # (C,)
        network.scale.copy_(torch.from_numpy(np.maximum(scale, 1e-6)))
        n_attended = int(windows.labels.sum())
        self._prior = math.log(max(1, n_attended) / max(1, len(windows) - n_attended))

    def loss(self, batch: TrialBatch, *, progress: float) -> Tensor:
        """Return the mean nats of the labels."""
        del progress
        return self._nats(self._scores(batch), self.tensor(batch.labels))

    def measure(self, batch: TrialBatch) -> dict[str, Tensor | float]:
        """Return the loss, and the share of windows that are read wrong."""
        scores, labels = self._scores(batch), self.tensor(batch.labels)
        if self._is_of_symbols:
            wrong = scores.argmax(dim=1) != labels  # (B,)
        else:
            wrong = (scores[:, 0] + self._prior > 0) != (labels > 0)  # (B,)
        return {"loss": self._nats(scores, labels), "error": wrong.float().mean()}

    @property
    def _is_of_symbols(self) -> bool:
        return self.network.settings.n_symbols > 1

    def _scores(self, batch: TrialBatch) -> Tensor:
        scores: Tensor = self.network(self.tensor(batch.samples))[:, 0].float()  # (B, V)
        return scores

    def _nats(self, scores: Tensor, labels: Tensor) -> Tensor:
        if self._is_of_symbols:
            right = scores.gather(1, labels[:, None])[:, 0]  # (B,)
            share = self.settings.smoothing
            return -((1.0 - share) * right + share * scores.mean(dim=1)).mean()
        odds = scores[:, 0] + self._prior  # (B,)
        return functional.binary_cross_entropy_with_logits(odds, labels.float())
