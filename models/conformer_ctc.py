"""A causal conformer from EEG to log-probabilities of symbols, which streams by cached context.

    samples ─▶ [context | new] ─▶ log power ─▶ n blocks ─▶ log-probabilities

    block:  ½ feed-forward ─▶ attention to the newest N + 1 frames ─▶ causal convolution
            ─▶ ½ feed-forward ─▶ layer norm            (Gulati et al. 2020, made causal)

A frame attends to itself and the N frames before it, in one pass as in calls: what the calls carry
are the N keys and values of each block, as the frames that left them computed them, so the cost of
a call does not grow with the recording. Zeros at first are an empty past; ``filled`` says which of
the N have been. Layer norm throughout: a stream is a batch of one.

B batch, T samples, C inputs, K the kernel's samples, P a patch, F frames, Q power features,
D width, L blocks, H heads, A what they span together, M channels of a convolution, N cached frames,
W frames that a convolution sees.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.front_end import log_power, wavelet_pairs
from models.network import CtcNetwork, NetworkSettings, State

EMPTY = -1e9
"""Added to the score of what must not be attended to; finite, as infinities make NaN of nothing."""


class ConformerCtcSettings(NetworkSettings, frozen=True):
    """The shape of the network.

    ``kernel_samples`` is what the power features see, ``n_context`` how many earlier frames a block
    attends to, ``kernel_frames`` what its convolution sees, ``expansion`` how much wider than
    ``n_width`` the feed-forward layers are inside. A network that was made smaller says what it has
    left: ``head_width`` of each head, ``n_inner`` inside the feed-forward layers, ``n_mixed``
    channels of the convolutions; None stands for what follows from the width.
    """

    kernel_samples: int = 40
    n_features: int = 128
    n_width: int = 128
    n_blocks: int = 3
    n_heads: int = 4
    n_context: int = 24
    kernel_frames: int = 7
    expansion: int = 2
    dropout: float = 0.0
    head_width: int | None = None
    n_inner: int | None = None
    n_mixed: int | None = None

    @property
    def of_head(self) -> int:
        """How wide one head is."""
        return self.head_width or self.n_width // self.n_heads

    @property
    def inner(self) -> int:
        """How wide the feed-forward layers are inside."""
        return self.n_inner or self.expansion * self.n_width

    @property
    def mixed(self) -> int:
        """How many channels the convolutions have."""
        return self.n_mixed or self.n_width


class ConformerCtc(CtcNetwork):
    """The network; see the module.

    Its state is ``(samples, filled, keys, values, convolved)``.
    """

    settings_type = ConformerCtcSettings
    settings: ConformerCtcSettings

    def __init__(self, settings: ConformerCtcSettings) -> None:
        super().__init__(settings)
        _check(settings)
        self.filters = wavelet_pairs(
            settings.n_inputs,
            settings.n_features,
            kernel_samples=settings.kernel_samples,
            patch_samples=settings.patch_samples,
        )
        self.norm = nn.LayerNorm(settings.n_features)
        self.widen = nn.Linear(settings.n_features, settings.n_width)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.n_blocks))
        self.head = nn.Linear(settings.n_width, settings.n_symbols)

    def initial_state(self, n_batch: int = 1) -> State:
        """Return the state before the first sample: all zeros, which is an empty past."""
        s = self.settings
        return (
            torch.zeros(n_batch, s.kernel_samples - s.patch_samples, s.n_inputs),  # (B, K - P, C)
            torch.zeros(n_batch, s.n_context),  # (B, N), 1 where a frame has been
            torch.zeros(s.n_blocks, n_batch, s.n_context, s.n_heads * s.of_head),  # (L, B, N, A)
            torch.zeros(s.n_blocks, n_batch, s.n_context, s.n_heads * s.of_head),  # (L, B, N, A)
            torch.zeros(s.n_blocks, n_batch, s.kernel_frames - 1, s.mixed),  # (L, B, W - 1, M)
        )

    def encode(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return ``(frames, *next_state)``: what the head reads, (B, F, D)."""
        context, filled, keys, values, convolved = state
        x = torch.cat([context, samples], dim=1)  # (B, K - P + T, C)
        context = x[:, samples.shape[1] :]  # (B, K - P, C)
        x = log_power(self.filters(x.transpose(1, 2)).transpose(1, 2))  # (B, F, Q)
        x = self.widen(self.norm(x))  # (B, F, D)
        n_frames = x.shape[1]
        filled = torch.cat([filled, filled.new_ones(len(x), n_frames)], dim=1)  # (B, N + F)
        groups = Groups(n_frames, self.settings.n_context, x.device)
        unseen = groups.unseen(filled)  # (B G, 1, S, N + S)
        following = []
        for block, *cache in zip(self.blocks, keys, values, convolved, strict=True):
            x, *cache = block(x, groups, unseen, *cache)  # (B, F, D)
            following.append(cache)
        caches = [torch.stack(of_blocks) for of_blocks in zip(*following, strict=True)]
        return x, context, filled[:, n_frames:], *caches


def _check(settings: ConformerCtcSettings) -> None:
    """Refuse a shape that would leave a state without a size, or heads without a width.

    Raises:
        ValueError: names the setting.
    """
    kernel, patch = settings.kernel_samples, settings.patch_samples
    if kernel <= patch:
        raise ValueError(f"kernel_samples: {kernel} must be > patch_samples {patch}")
    for name, least in (("n_blocks", 1), ("n_heads", 1), ("n_context", 1), ("kernel_frames", 2)):
        if getattr(settings, name) < least:
            raise ValueError(f"{name}: {getattr(settings, name)} must be >= {least}")
    for name in ("head_width", "n_inner", "n_mixed"):
        width = getattr(settings, name)
        if width is not None and width < 1:
            raise ValueError(f"{name}: {width} must be >= 1")
    if settings.head_width is None and settings.n_width % settings.n_heads:
        raise ValueError(
            f"n_width: {settings.n_width} must be a multiple of n_heads {settings.n_heads}"
        )


class Groups:
    """Frames taken S at a time, as attention sees them: each group with the N frames before it.

    One pass over a recording is what calls of S frames would be, side by side; its cost grows with
    the recording, not with its square. G groups, the last one filled up with zeros.
    """

    def __init__(self, n_frames: int, n_context: int, device: torch.device) -> None:
        self.n_context, self.size = n_context, min(n_frames, n_context)
        self.n_padding = -n_frames % self.size
        new = torch.arange(n_context, n_context + self.size, device=device)
        distance = new[:, None] - torch.arange(n_context + self.size, device=device)
        self.distance = distance.clamp(0, n_context)  # (S, N + S), in frames
        self.apart = (distance < 0) | (distance > n_context)  # (S, N + S)

    def new(self, x: Tensor) -> Tensor:
        """Return the frames ``x`` (B, F, D) in groups, (B G, S, D)."""
        x = functional.pad(x, (0, 0, 0, self.n_padding))  # (B, G S, D)
        return x.reshape(-1, self.size, x.shape[2])

    def seen(self, x: Tensor) -> Tensor:
        """Return cached and new frames ``x`` (B, N + F, D) as each group sees, (B G, N + S, D)."""
        x = functional.pad(x, (0, 0, 0, self.n_padding))  # (B, N + G S, D)
        x = x.unfold(1, self.n_context + self.size, self.size)  # (B, G, D, N + S)
        return x.transpose(2, 3).flatten(0, 1)

    def unseen(self, filled: Tensor) -> Tensor:
        """Return 0 where a frame may attend, else :data:`EMPTY`, (B G, 1, S, N + S)."""
        seen = self.seen(filled[:, :, None]).transpose(1, 2)  # (B G, 1, N + S)
        return EMPTY * (self.apart + (1.0 - seen)[:, :, None])

    def joined(self, x: Tensor, n_frames: int) -> Tensor:
        """Return what :meth:`new` was given: (B G, S, D) as (B, F, D)."""
        return x.reshape(-1, n_frames + self.n_padding, x.shape[2])[:, :n_frames]


class Block(nn.Module):
    """Half a feed-forward, attention, convolution, half a feed-forward, each added to its input."""

    def __init__(self, settings: ConformerCtcSettings) -> None:
        super().__init__()
        self.before = feed_forward(settings)
        self.attention = Attention(settings)
        self.convolution = Convolution(settings)
        self.after = feed_forward(settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.norm = nn.LayerNorm(settings.n_width)

    def forward(
        self, x: Tensor, groups: Groups, unseen: Tensor, *cache: Tensor
    ) -> tuple[Tensor, ...]:
        """Return ``x`` (B, F, D) after the block, and keys, values, convolved as they are next."""
        keys, values, convolved = cache
        x = x + 0.5 * self.before(x)  # (B, F, D)
        attended, keys, values = self.attention(x, groups, unseen, keys, values)  # (B, F, D)
        x = x + self.dropout(attended)  # (B, F, D)
        mixed, convolved = self.convolution(x, convolved)  # (B, F, D)
        x = x + self.dropout(mixed)  # (B, F, D)
        x = x + 0.5 * self.after(x)  # (B, F, D)
        return self.norm(x), keys, values, convolved


def feed_forward(settings: ConformerCtcSettings) -> nn.Sequential:
    """Return the feed-forward module, (B, F, D) to (B, F, D)."""
    return nn.Sequential(
        nn.LayerNorm(settings.n_width),
        nn.Linear(settings.n_width, settings.inner),
        nn.SiLU(),
        nn.Dropout(settings.dropout),
        nn.Linear(settings.inner, settings.n_width),
        nn.Dropout(settings.dropout),
    )


class Attention(nn.Module):
    """Attention of each frame to itself and the N before it; a bias for each distance and head."""

    def __init__(self, settings: ConformerCtcSettings) -> None:
        super().__init__()
        self.n_heads, self.n_context = settings.n_heads, settings.n_context
        self.norm = nn.LayerNorm(settings.n_width)
        n_all = settings.n_heads * settings.of_head
        self.project = nn.Linear(settings.n_width, 3 * n_all)
        self.bias = nn.Parameter(torch.zeros(settings.n_heads, settings.n_context + 1))  # (H, N+1)
        self.mix = nn.Linear(n_all, settings.n_width)

    def forward(
        self, x: Tensor, groups: Groups, unseen: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the frames ``x`` (B, F, D) attend to, (B, F, D), and the next keys, values.

        ``unseen`` (B G, 1, S, N + S) is 0 where a frame may attend, far below where it may not.
        """
        n_frames = x.shape[1]
        query, key, value = self.project(self.norm(x)).chunk(3, dim=2)  # (B, F, A) each
        keys = torch.cat([keys, key], dim=1)  # (B, N + F, A)
        values = torch.cat([values, value], dim=1)  # (B, N + F, A)
        attended = functional.scaled_dot_product_attention(
            self._heads(groups.new(query)),  # (B G, H, S, A / H)
            self._heads(groups.seen(keys)),  # (B G, H, N + S, A / H)
            self._heads(groups.seen(values)),  # (B G, H, N + S, A / H)
            attn_mask=self.bias[:, groups.distance] + unseen,  # (B G, H, S, N + S)
        )  # (B G, H, S, A / H)
        x = groups.joined(attended.transpose(1, 2).flatten(2), n_frames)  # (B, F, A)
        return self.mix(x), keys[:, n_frames:], values[:, n_frames:]

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.n_heads, -1).transpose(1, 2)  # (B G, H, …, A / H)


class Convolution(nn.Module):
    """A gated convolution of each frame with the W - 1 before it, channel by channel."""

    def __init__(self, settings: ConformerCtcSettings) -> None:
        super().__init__()
        n_width, n_mixed = settings.n_width, settings.mixed
        self.norm = nn.LayerNorm(n_width)
        self.gate = nn.Linear(n_width, 2 * n_mixed)
        self.convolve = nn.Conv1d(n_mixed, n_mixed, settings.kernel_frames, groups=n_mixed)
        self.norm_inside = nn.LayerNorm(n_mixed)
        self.mix = nn.Linear(n_mixed, n_width)

    def forward(self, x: Tensor, convolved: Tensor) -> tuple[Tensor, Tensor]:
        """Return the convolution of ``x`` (B, F, D), and the W - 1 frames it needs next."""
        gated = functional.glu(self.gate(self.norm(x)), dim=2)  # (B, F, M)
        seen = torch.cat([convolved, gated], dim=1)  # (B, W - 1 + F, M)
        y = self.convolve(seen.transpose(1, 2)).transpose(1, 2)  # (B, F, M)
        y = self.mix(functional.silu(self.norm_inside(y)))  # (B, F, D)
        return y, seen[:, x.shape[1] :]  # (B, W - 1, M)
