"""A causal network from EEG to log-probabilities of symbols, one frame per patch of samples.

    samples ─▶ [context | new] ─▶ patches ─▶ features ─▶ GRU ─▶ log-probabilities

Each frame sees the newest ``kernel_samples`` and, through the GRU, all that went before. What has
to be remembered between calls is returned, so a long recording may be cut at any frame.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from models.front_end import log_power, patch_filters, wavelet_pairs
from models.network import CtcNetwork, NetworkSettings, State


class GruCtcSettings(NetworkSettings, frozen=True):
    """The shape of the network.

    ``features``: ``linear`` gives the GRU a linear map of each patch; ``power`` the log power in
    each of ``n_features`` learned pairs of filters, which a burst of unknown phase cannot escape.
    """

    kernel_samples: int = 10
    n_features: int = 256
    features: Literal["linear", "power"] = "linear"
    n_hidden: int = 256
    n_layers: int = 3
    dropout: float = 0.0


class GruCtc(CtcNetwork):
    """The network; see the module. L layers, K the kernel's samples, Q features, H units.

    Its state is ``(hidden,)``, or ``(hidden, context)`` where a patch reaches back into earlier
    samples.
    """

    settings_type = GruCtcSettings
    settings: GruCtcSettings

    def __init__(self, settings: GruCtcSettings) -> None:
        super().__init__(settings)
        filters = wavelet_pairs if settings.features == "power" else patch_filters
        self.filters = filters(
            settings.n_inputs,
            settings.n_features,
            kernel_samples=settings.kernel_samples,
            patch_samples=settings.patch_samples,
        )
        self.norm = nn.LayerNorm(settings.n_features)
        self.gru = nn.GRU(
            settings.n_features,
            settings.n_hidden,
            settings.n_layers,
            batch_first=True,
            dropout=settings.dropout,
        )
        self.head = nn.Linear(settings.n_hidden, settings.n_symbols)

    @property
    def n_context(self) -> int:
        """How many samples before its patch a frame sees."""
        return self.settings.kernel_samples - self.settings.patch_samples

    def initial_state(self, n_batch: int = 1) -> State:
        """Return the state before the first sample: all zeros."""
        s = self.settings
        hidden = torch.zeros(s.n_layers, n_batch, s.n_hidden)  # (L, B, H)
        if not self.n_context:
            return (hidden,)
        return hidden, torch.zeros(n_batch, self.n_context, s.n_inputs)  # (B, K - P, C)

    def encode(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return ``(frames, *next_state)``: what the head reads, (B, F, H)."""
        hidden, *context = state
        x = torch.cat([*context, samples], dim=1)  # (B, K - P + T, C)
        keep = x[:, x.shape[1] - self.n_context :]  # (B, K - P, C)
        x = self.filters(x.transpose(1, 2)).transpose(1, 2)  # (B, F, Q), or (B, F, 2Q)
        if self.settings.features == "power":
            x = log_power(x)  # (B, F, Q)
        x = self.norm(x)  # (B, F, Q)
        x, hidden = self.gru(x, hidden)  # (B, F, H), (L, B, H)
        return (x, hidden, keep) if self.n_context else (x, hidden)


def reference_settings() -> GruCtcSettings:
    """Return the benches' reference model: three layers of 256, patches of 10, 128 channels."""
    return GruCtcSettings(n_inputs=128, n_symbols=30)


def build(settings: GruCtcSettings, *, seed: int = 0) -> GruCtc:
    """Return the network with random weights drawn from ``seed``, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return GruCtc(settings).eval()
