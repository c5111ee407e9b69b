"""How our networks hear EEG: the log power in learned pairs of filters, a frame a patch.

A pair is a cosine and a sine of one rhythm over one weighting of the inputs; a burst of unknown
phase cannot escape both. B batch, T samples, C inputs, K the kernel's samples, F frames, Q pairs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

POWER_FLOOR = 1.0
"""Power below this counts as silence; inputs have about unit variance."""

WAVELET_CYCLES = (0.03, 0.12)
"""Rhythms that the power features start from, in cycles a sample: 7.5 to 30 Hz at 250 Hz."""


def patch_filters(
    n_inputs: int, n_filters: int, *, kernel_samples: int, patch_samples: int
) -> nn.Conv1d:
    """Return filters over the newest ``kernel_samples``, applied at each patch's end.

    Raises:
        ValueError: the kernel is shorter than the patch.
    """
    if kernel_samples < patch_samples:
        raise ValueError(
            f"kernel_samples: {kernel_samples} must be >= patch_samples {patch_samples}"
        )
    return nn.Conv1d(n_inputs, n_filters, kernel_samples, stride=patch_samples)


def wavelet_pairs(
    n_inputs: int, n_pairs: int, *, kernel_samples: int, patch_samples: int
) -> nn.Conv1d:
    """Return pairs of filters that start as wavelets of a random place and rhythm.

    The cosines come first, then the sines. A filter drawn at random passes every frequency alike,
    and its power says little; from there the training takes several times as long.

    Raises:
        ValueError: the kernel is shorter than the patch.
    """
    filters = patch_filters(
        n_inputs, 2 * n_pairs, kernel_samples=kernel_samples, patch_samples=patch_samples
    )
    time = torch.arange(kernel_samples) - kernel_samples / 2
    taper = torch.hann_window(kernel_samples + 2, periodic=False)[1:-1]
    low, high = WAVELET_CYCLES
    cycles = low + (high - low) * torch.rand(n_pairs, 1)  # per sample
    angle = 2 * math.pi * cycles * time  # (Q, K)
    place = functional.normalize(torch.randn(n_pairs, n_inputs), dim=1)  # (Q, C)
    waves = torch.cat([torch.cos(angle), torch.sin(angle)]) * taper / taper.norm()  # (2Q, K)
    with torch.no_grad():
        filters.weight.copy_(place.repeat(2, 1)[:, :, None] * waves[:, None, :])  # (2Q, C, K)
        if filters.bias is not None:
            filters.bias.zero_()
    return filters


def log_power(pairs: Tensor) -> Tensor:
    """Return the log power (B, F, Q) of what pairs of filters gave, (B, F, 2Q)."""
    cosine, sine = pairs.chunk(2, dim=2)  # (B, F, Q) each
    return torch.log(cosine**2 + sine**2 + POWER_FLOOR)  # (B, F, Q)
