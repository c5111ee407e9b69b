"""A causal network from EEG to log-probabilities of symbols, one frame per patch of samples.

    samples ─▶ [context | new] ─▶ patches ─▶ features ─▶ GRU ─▶ log-probabilities

Each frame sees the newest ``kernel_samples`` and, through the GRU, all that went before. What has
to be remembered between calls is returned, so a long recording may be cut at any frame.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import CtcNetwork, NetworkSettings, State

POWER_FLOOR = 1.0
"""Power below this counts as silence; inputs have about unit variance."""

WAVELET_CYCLES = (0.03, 0.12)
"""Rhythms that the power features start from, in cycles a sample: 7.5 to 30 Hz at 250 Hz."""


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
        if settings.kernel_samples < settings.patch_samples:
            raise ValueError(
                f"kernel_samples: {settings.kernel_samples} must be >= patch_samples "
                f"{settings.patch_samples}"
            )
        n_outputs = settings.n_features * (2 if settings.features == "power" else 1)
        self.filters = nn.Conv1d(
            settings.n_inputs, n_outputs, settings.kernel_samples, stride=settings.patch_samples
        )
        if settings.features == "power":
            _start_as_wavelets(self.filters)
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
            cosine, sine = x.chunk(2, dim=2)  # (B, F, Q) each
            x = torch.log(cosine**2 + sine**2 + POWER_FLOOR)  # (B, F, Q)
        x = self.norm(x)  # (B, F, Q)
        x, hidden = self.gru(x, hidden)  # (B, F, H), (L, B, H)
        return (x, hidden, keep) if self.n_context else (x, hidden)


def _start_as_wavelets(filters: nn.Conv1d) -> None:
    """Start pairs of filters as wavelets of a random place and rhythm, cosine and sine.

    A filter drawn at random passes every frequency alike, and its power says little; from there the
    training takes several times as long.
    """
    n_filters, n_inputs, n_samples = filters.weight.shape
    n_features = n_filters // 2
    time = torch.arange(n_samples) - n_samples / 2
    taper = torch.hann_window(n_samples + 2, periodic=False)[1:-1]
    low, high = WAVELET_CYCLES
    cycles = low + (high - low) * torch.rand(n_features, 1)  # per sample
    angle = 2 * math.pi * cycles * time  # (Q, K)
    place = functional.normalize(torch.randn(n_features, n_inputs), dim=1)  # (Q, C)
    waves = torch.cat([torch.cos(angle), torch.sin(angle)]) * taper / taper.norm()  # (2Q, K)
    with torch.no_grad():
        filters.weight.copy_(place.repeat(2, 1)[:, :, None] * waves[:, None, :])  # (2Q, C, K)
        if filters.bias is not None:
            filters.bias.zero_()


def reference_settings() -> GruCtcSettings:
    """Return the benches' reference model: three layers of 256, patches of 10, 128 channels."""
    return GruCtcSettings(n_inputs=128, n_symbols=30)


def build(settings: GruCtcSettings, *, seed: int = 0) -> GruCtc:
    """Return the network with random weights drawn from ``seed``, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GruCtc(settings).eval()
