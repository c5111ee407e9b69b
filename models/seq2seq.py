"""What trainer, exporter and bundle ask of a network that writes a window's text symbol by symbol.

    samples ─▶ front end ─▶ encoder ─▶ memory ─┐
    symbols so far ─▶ step, with a cache ──────┴─▶ the next symbol, and where in the window it lies

The encoder may look both ways inside its window. A step knows of earlier symbols what its cache
holds. Every step is told where attention was in the step before, its *place*: text goes forward
through the window, and a decoder that has to find out where it was learns that last.

B windows, T samples, C inputs, P samples a patch, F = T / P frames, Q features, H width of a frame,
D width of the memory, L symbols, V symbols of the vocabulary, R rows decoded together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.front_end import log_power, wavelet_pairs
from models.network import NetworkSettings, State

END = 0
"""The symbol ``""`` of the vocabulary: what stands before the first symbol and after the last."""

BEHIND = -1e4
"""Score of a frame behind its window's end; finite in 16 bits too, and its softmax is zero."""


AROUND_PEAK = 3
"""Frames on either side of the peak of attention that count for its place."""


class Seq2SeqSettings(NetworkSettings, frozen=True):
    """The shape every family has.

    A frame sees ``kernel_samples`` around its patch, as ``n_features`` log powers. No text is
    longer than ``max_symbols``, its end included. What lies within ``back_frames`` before to
    ``ahead_frames`` behind the place of the symbol before is told apart frame by frame, what lies
    beyond is not.
    """

    patch_samples: int = 20
    kernel_samples: int = 80
    n_features: int = 128
    max_symbols: int = 32
    back_frames: int = 4
    ahead_frames: int = 16
    dropout: float = 0.0


class Seq2SeqNetwork(nn.Module, ABC):
    """From a window to its text.

    A subclass gives :meth:`frames`, :meth:`look_up_in`, :meth:`initial_cache` and :meth:`step`,
    names its settings' class in ``settings_type`` and the width of its frames in ``n_hidden``.
    Symbol :data:`END` both starts and ends a text.

    Windows of one batch may differ in length: what stands behind the end of one, its ``n_frames``,
    changes nothing. The last column of a memory says so, 0 inside and :data:`BEHIND` behind it; it
    is added to whatever attention scores a frame by.
    """

    settings_type: ClassVar[type[Seq2SeqSettings]]
    settings: Seq2SeqSettings
    n_hidden: int

    def __init__(self, settings: Seq2SeqSettings) -> None:
        super().__init__()
        self.settings = settings
        self.filters = wavelet_pairs(
            settings.n_inputs,
            settings.n_features,
            kernel_samples=settings.kernel_samples,
            patch_samples=settings.patch_samples,
        )
        self.norm = nn.LayerNorm(settings.n_features)

    @abstractmethod
    def frames(self, samples: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Return frames (B, F, H) of ``samples`` (B, T, C); T is whole patches.

        ``n_frames`` (B,) int64 of each window where they differ; samples behind them are zeros.
        """

    @abstractmethod
    def look_up_in(self, frames: Tensor) -> Tensor:
        """Return of ``frames`` (B, F, H) what steps look things up in, (B, F, D - 1)."""

    @abstractmethod
    def initial_cache(self, n_rows: int) -> State:
        """Return the cache before the first step: zeros, rows on axis 0 of every tensor."""

    @abstractmethod
    def step(
        self, tokens: Tensor, position: Tensor, memory: Tensor, *cache: Tensor
    ) -> tuple[Tensor, ...]:
        """Return ``(log_probs (R, V), attention (R, F), *next_cache)`` of one more symbol.

        Args:
            tokens: (R,) int64, the symbols before: :data:`END` at ``position`` 0.
            position: (1,) int64, how many symbols stand before; below ``max_symbols``.
            memory: (1, F, D), the rows' own window, or (R, F, D).
            cache: of the step before. Its last tensor is the place, (R, 1) frames.
        """

    def encode(self, samples: Tensor) -> Tensor:
        """Return the memory (B, F, D) of ``samples`` (B, T, C)."""
        return self.remember(self.frames(samples))

    def remember(self, frames: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Return the memory (B, F, D) of ``frames`` (B, F, H)."""
        silence = torch.zeros_like(frames[:, :, :1])  # (B, F, 1)
        if n_frames is not None:
            silence = silence.masked_fill(is_behind(frames, n_frames)[..., None], BEHIND)
        return torch.cat([self.look_up_in(frames), silence], dim=2)  # (B, F, D)

    def forward(self, samples: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(log_probs (B, L, V), attention (B, L, F))``, the text so far being given.

        Column l tells of the symbol behind ``tokens[:, :l + 1]`` (B, L), which begin with
        :data:`END`; whatever stands behind a text's end changes nothing before it.
        """
        return self.decode(self.encode(samples), tokens)

    def decode(
        self, memory: Tensor, tokens: Tensor, places: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return what :meth:`forward` does, of a ``memory`` (B, F, D).

        ``places`` (B, L), in frames, stand for those of the attention where they are given: column
        l for the place of the step before l. That of column 0 is not looked at.
        """
        cache = self.initial_cache(len(tokens))
        cache = tuple(tensor.to(memory) for tensor in cache)
        found: list[tuple[Tensor, Tensor]] = []
        for k in range(tokens.shape[1]):
            if places is not None:
                cache = (*cache[:-1], places[:, k : k + 1])  # (B, 1)
            position = torch.tensor([k], device=memory.device)
            log_probs, attention, *following = self.step(tokens[:, k], position, memory, *cache)
            cache = tuple(following)
            found.append((log_probs, attention))
        log_probs, attention = (torch.stack(each, dim=1) for each in zip(*found, strict=True))
        return log_probs, attention  # (B, L, V), (B, L, F)

    def hear(self, samples: Tensor) -> Tensor:
        """Return normal features (B, F, Q) of ``samples`` (B, T, C), silence around the window."""
        n_around = self.settings.kernel_samples - self.settings.patch_samples
        x = functional.pad(samples, (0, 0, n_around // 2, n_around - n_around // 2))
        x = self.filters(x.transpose(1, 2)).transpose(1, 2)  # (B, F, 2Q)
        normal: Tensor = self.norm(log_power(x))  # (B, F, Q)
        return normal

    def nearness(self, place: Tensor, n_frames: int) -> Tensor:
        """Return how near each frame is to each offset from ``place`` (..., 1): (..., F, N).

        N = ``back_frames`` + 1 + ``ahead_frames`` offsets; a frame between two has a share of both,
        one beyond them all counts as at the last.
        """
        s = self.settings
        frame = torch.arange(n_frames, device=place.device)  # (F,)
        offset = (frame - place).clamp(-s.back_frames, s.ahead_frames)  # (..., F)
        known = torch.arange(-s.back_frames, s.ahead_frames + 1, device=place.device)  # (N,)
        return functional.relu(1.0 - (offset[..., None] - known).abs())  # (..., F, N)


def is_behind(frames: Tensor, n_frames: Tensor) -> Tensor:
    """Say of each of ``frames`` (B, F, .) whether it is behind its window's end, (B, F)."""
    return torch.arange(frames.shape[1], device=frames.device) >= n_frames[:, None]


def place_of(attention: Tensor) -> Tensor:
    """Return the place (..., 1) of ``attention`` (..., F), in frames: its mean around its peak.

    The mean of all would lie between two symbols where attention is divided between them.
    """
    frame = torch.arange(attention.shape[-1], device=attention.device)  # (F,)
    peak = attention.argmax(dim=-1, keepdim=True)  # (..., 1)
    around = attention * ((frame - peak).abs() <= AROUND_PEAK)  # (..., F)
    total = around.sum(dim=-1, keepdim=True)  # (..., 1)
    return (around * frame).sum(dim=-1, keepdim=True) / total  # (..., 1)
