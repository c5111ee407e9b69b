"""What trainer, exporter and bundle ask of a classifier of windows, whatever its family.

    window (T, C) ─▶ divided by each input's scale ─▶ patches averaged ─▶ the network ─▶ scores

With several symbols the scores are log-probabilities, one row at the window's end. With one they
are the log-likelihood ratio of a stimulus that was attended to: evidence, without any prior.

B windows, T samples, C inputs, P samples a patch, F = T / P frames, V symbols (1: a stimulus).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import NetworkSettings


class ClassifierSettings(NetworkSettings, frozen=True):
    """The shape every family has: windows of ``n_samples``.

    ``patch_samples`` are averaged into one frame, which costs what lies above half the frames' rate
    and makes the network that much smaller.
    """

    patch_samples: int = 1
    n_samples: int = 0

    @property
    def n_frames(self) -> int:
        """Frames of a window; samples beyond the last whole patch are not looked at."""
        return self.n_samples // self.patch_samples


class Classifier(nn.Module, ABC):
    """From a window to the scores of symbols, or of its stimulus.

    A subclass gives :meth:`classify`, and names its settings' class in ``settings_type``.

    Raises:
        ValueError: a window of less than one patch.
    """

    settings_type: ClassVar[type[ClassifierSettings]]
    settings: ClassifierSettings
    scale: Tensor
    """(C,) what each input is divided by, of the windows that were learnt from."""

    def __init__(self, settings: ClassifierSettings) -> None:
        super().__init__()
        if settings.n_samples < settings.patch_samples or settings.patch_samples < 1:
            raise ValueError(
                f"n_samples: got {settings.n_samples}, must be at least a patch of "
                f"{settings.patch_samples}"
            )
        self.settings = settings
        self.register_buffer("scale", torch.ones(settings.n_inputs))

    @abstractmethod
    def classify(self, frames: Tensor) -> Tensor:
        """Return scores (B, V), not normalised, of ``frames`` (B, F, C)."""

    def forward(self, samples: Tensor) -> Tensor:
        """Return scores (B, 1, V) of ``samples`` (B, T, C)."""
        s = self.settings
        x = samples[:, : s.n_frames * s.patch_samples] / self.scale  # (B, F P, C)
        x = x.reshape(len(x), s.n_frames, s.patch_samples, s.n_inputs).mean(dim=2)  # (B, F, C)
        x = self.classify(x)  # (B, V)
        return (functional.log_softmax(x, dim=1) if s.n_symbols > 1 else x)[:, None]
