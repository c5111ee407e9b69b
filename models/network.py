"""What trainer, exporter and bundle ask of a network, whatever its family.

A family is one file: a :class:`NetworkSettings` with the shape, and a network that is built from it
alone. ``models.families`` names them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from pipeline.spec import Settings

State = tuple[Tensor, ...]
"""What a network remembers between calls; zeros at first, the batch on any one axis."""


class NetworkSettings(Settings, frozen=True):
    """The shape every family has; kept in the bundle so that the weights can be read again.

    ``patch_samples`` is how many samples one frame stands for.
    """

    n_inputs: int
    n_symbols: int
    patch_samples: int = 10


class CtcNetwork(nn.Module, ABC):
    """A causal network from samples to log-probabilities of symbols, a frame a patch.

    A subclass gives :meth:`initial_state` and :meth:`encode`, sets ``head`` to a linear layer from
    its frames to the symbols, and names its settings' class in ``settings_type``. Frames must not
    depend on later samples, and the calls of a recording cut at any frame must give what one call
    gives. B batch, T samples, F = T / P frames, C inputs, H width of a frame, V symbols.
    """

    settings_type: ClassVar[type[NetworkSettings]]
    settings: NetworkSettings
    head: nn.Linear

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings

    @abstractmethod
    def initial_state(self, n_batch: int = 1) -> State:
        """Return the state before the first sample: all zeros."""

    @abstractmethod
    def encode(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return ``(frames, *next_state)``, frames (B, F, H), for ``samples`` (B, T, C)."""

    def forward(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return ``(log_probs, *next_state)`` for ``samples`` (B, T, C); T is whole patches."""
        x, *following = self.encode(samples, *state)  # (B, F, H)
        log_probs = functional.log_softmax(self.head(x), dim=2)  # (B, F, V)
        return log_probs, *following
