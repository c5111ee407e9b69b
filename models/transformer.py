"""A transformer encoder-decoder whose attention to the window knows where it was.

    samples ─▶ features ─▶ blocks of self-attention, both ways ─▶ memory
    symbols so far ─▶ blocks of self-attention and attention to memory ─▶ next symbol

Vaswani et al. 2017, normalised before each part; the encoder's attention has a learned bias for
every distance (Shaw et al. 2018, Raffel et al. 2020). Departing from them, attention to the memory
has a learned bias for the distance from the place of the symbol before. Letters as in
``models.seq2seq``; N layers of the decoder, M = ``max_symbols`` steps, A heads that are K wide
together, S symbols or frames that ask, O that are asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.seq2seq import BEHIND, Seq2SeqNetwork, Seq2SeqSettings, is_behind, place_of

if TYPE_CHECKING:
    from models.network import State


class TransformerSettings(Seq2SeqSettings, frozen=True):
    """The shape: ``n_layers`` in the encoder, ``n_decoder_layers``, all ``n_width`` wide.

    Between its two linear maps a layer is ``n_inner`` wide. The encoder tells distances of up to
    ``reach_frames`` apart. A network that has lost heads says how wide each is: ``head_width``;
    None where all of them together are ``n_width``.
    """

    n_width: int = 128
    n_heads: int = 4
    n_inner: int = 384
    n_layers: int = 3
    n_decoder_layers: int = 2
    reach_frames: int = 16
    head_width: int | None = None

    @property
    def n_asked(self) -> int:
        """How wide the queries, keys and values of all heads are together."""
        return self.n_heads * (self.head_width or self.n_width // self.n_heads)


class Attention(nn.Module):
    """Scaled dot products of queries (., S, K) with keys (., O, K); a bias is added to them."""

    def __init__(self, s: TransformerSettings) -> None:
        super().__init__()
        self.n_heads = s.n_heads
        self.query = nn.Linear(s.n_width, s.n_asked)
        self.out = nn.Linear(s.n_asked, s.n_width)

    def forward(
        self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what ``x`` (., S, H) finds (., S, H), and the weights (., A, S, O)."""
        query, keys, values = (self._heads(t) for t in (self.query(x), keys, values))
        scores = query @ keys.transpose(2, 3) / math.sqrt(query.shape[3]) + bias  # (., A, S, O)
        weights = scores.softmax(dim=3)  # (., A, S, O)
        found = (weights @ values).transpose(1, 2).flatten(2)  # (., S, K)
        return self.out(found), weights

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.n_heads, -1).transpose(1, 2)  # (., A, S, K / A)


class Block(nn.Module):
    """One layer: self-attention, attention to the memory where there is one, two linear maps."""

    def __init__(self, s: TransformerSettings, *, with_memory: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(s.n_width)
        self.attention = Attention(s)
        self.key_value = nn.Linear(s.n_width, 2 * s.n_asked)
        if with_memory:
            self.memory_norm = nn.LayerNorm(s.n_width)
            self.memory_attention = Attention(s)
        self.inner = nn.Sequential(
            nn.LayerNorm(s.n_width),
            nn.Linear(s.n_width, s.n_inner),
            nn.ReLU(),
            nn.Linear(s.n_inner, s.n_width),
        )
        self.drop = nn.Dropout(s.dropout)

    def own(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values (., S, K) that ``x`` (., S, H) offers to the layer."""
        keys, values = self.key_value(self.norm(x)).chunk(2, dim=2)  # (., S, K)
        return keys, values

    def look_back(self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """Return ``x`` (., S, H) with what it finds in ``keys`` (., O, K); bias (., A, S, O)."""
        found, _ = self.attention(self.norm(x), keys, values, bias)  # (., S, H)
        seen: Tensor = x + self.drop(found)  # (., S, H)
        return seen

    def look_up(self, x: Tensor, memory: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``x`` with what it finds in ``memory`` (., F, 2K), and the weights (., S, F)."""
        keys, values = memory.chunk(2, dim=2)  # (., F, K)
        found, weights = self.memory_attention(self.memory_norm(x), keys, values, bias)
        return x + self.drop(found), weights.mean(dim=1)  # (., S, H), (., S, F)

    def think(self, x: Tensor) -> Tensor:
        """Return ``x`` (., S, H) after the linear maps."""
        thought: Tensor = x + self.drop(self.inner(x))  # (., S, H)
        return thought


class Transformer(Seq2SeqNetwork):
    """The network; see the module. Its memory is every layer's keys and values, D = 2 N K + 1."""

    settings_type = TransformerSettings
    settings: TransformerSettings

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__(settings)
        s = settings
        if s.head_width is not None and s.head_width < 1:
            raise ValueError(f"head_width: {s.head_width} must be >= 1")
        if (s.head_width is None and s.n_width % s.n_heads) or s.n_width % 2:
            raise ValueError(
                f"n_width: {s.n_width} must be even and a multiple of {s.n_heads} heads"
            )
        self.n_hidden = s.n_width
        n_offsets = s.back_frames + 1 + s.ahead_frames
        self.enter = nn.Linear(s.n_features, s.n_width)
        self.encoder = nn.ModuleList(Block(s, with_memory=False) for _ in range(s.n_layers))
        self.distance = nn.Parameter(torch.zeros(s.n_layers, s.n_heads, 2 * s.reach_frames + 1))
        self.frame_norm = nn.LayerNorm(s.n_width)
        self.memory = nn.Linear(s.n_width, 2 * s.n_decoder_layers * s.n_asked)
        self.symbol = nn.Embedding(s.n_symbols, s.n_width)
        self.position = nn.Parameter(0.02 * torch.randn(s.max_symbols, s.n_width))
        self.decoder = nn.ModuleList(Block(s, with_memory=True) for _ in range(s.n_decoder_layers))
        self.location = nn.Linear(n_offsets, s.n_decoder_layers * s.n_heads, bias=False)
        self.head = nn.Sequential(nn.LayerNorm(s.n_width), nn.Linear(s.n_width, s.n_symbols))

    def frames(self, samples: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Return frames (B, F, H) of ``samples`` (B, T, C)."""
        x = self.enter(self.hear(samples))  # (B, F, H)
        x = x + _waves(x.shape[1], x.shape[2]).to(x)  # (B, F, H)
        frame = torch.arange(x.shape[1], device=x.device)  # (F,)
        reach = self.settings.reach_frames
        apart = (frame - frame[:, None]).clamp(-reach, reach) + reach  # (F, F)
        biases = self.distance[:, :, apart]  # (layers, A, F, F)
        if n_frames is not None:
            behind = BEHIND * is_behind(x, n_frames).to(x)  # (B, F)
            biases = biases[:, None] + behind[None, :, None, None]  # (layers, B, A, F, F)
        for block, bias in zip(_blocks(self.encoder), biases, strict=True):
            x = block.look_back(x, *block.own(x), bias)  # (B, F, H)
            x = block.think(x)  # (B, F, H)
        normal: Tensor = self.frame_norm(x)  # (B, F, H)
        return normal

    def look_up_in(self, frames: Tensor) -> Tensor:
        """Return every layer's keys and values (B, F, 2 N K) of ``frames`` (B, F, H)."""
        found: Tensor = self.memory(frames)  # (B, F, 2 N K)
        return found

    def initial_cache(self, n_rows: int) -> State:
        """Return ``(keys (R, N, M, K), values (R, N, M, K), place (R, 1))``, zeros."""
        s = self.settings
        shape = (n_rows, s.n_decoder_layers, s.max_symbols, s.n_asked)
        return torch.zeros(shape), torch.zeros(shape), torch.zeros(n_rows, 1)

    def step(
        self, tokens: Tensor, position: Tensor, memory: Tensor, *cache: Tensor
    ) -> tuple[Tensor, ...]:
        """Return ``(log_probs (R, V), attention (R, F), *next_cache)`` of one more symbol."""
        keys, values, place = cache  # (R, N, M, K) twice, (R, 1)
        x = (self.symbol(tokens) + self.position[position])[:, None]  # (R, 1, H)
        slot = torch.arange(keys.shape[2], device=keys.device)  # (M,)
        is_new = (slot == position)[:, None]  # (M, 1)
        hidden = torch.where(slot > position, -torch.inf, 0.0)  # (M,)
        is_later = (position > 0).to(place.dtype)  # (1,)
        near = self.nearness(place, memory.shape[1])[:, None] * is_later  # (R, 1, F, offsets)
        all_keys, all_values = [], []
        for k, (block, bias, own) in enumerate(self._layers(memory, near)):
            new_key, new_value = block.own(x)  # (R, 1, K)
            all_keys.append(torch.where(is_new, new_key, keys[:, k]))  # (R, M, K)
            all_values.append(torch.where(is_new, new_value, values[:, k]))  # (R, M, K)
            x = block.look_back(x, all_keys[-1], all_values[-1], hidden)  # (R, 1, H)
            x, attention = block.look_up(x, own, bias)  # (R, 1, H), (R, 1, F)
            x = block.think(x)  # (R, 1, H)
        log_probs = self.head(x[:, 0]).log_softmax(dim=1)  # (R, V)
        attention = attention[:, 0]  # (R, F)
        following = torch.stack(all_keys, dim=1), torch.stack(all_values, dim=1)  # (R, N, M, K)
        return log_probs, attention, *following, place_of(attention)

    def decode(
        self, memory: Tensor, tokens: Tensor, places: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return ``(log_probs (B, L, V), attention (B, L, F))``; all at once if places are given.

        Without ``places`` (B, L) a step has to wait for the one before, to learn its place.
        """
        if places is None:
            return super().decode(memory, tokens)
        n_steps = tokens.shape[1]
        x = self.symbol(tokens) + self.position[:n_steps]  # (B, L, H)
        position = torch.arange(n_steps, device=x.device)  # (L,)
        later = torch.where(position > position[:, None], -torch.inf, 0.0)  # (L, L)
        near = self.nearness(places[:, :, None], memory.shape[1])  # (B, L, F, offsets)
        near = near * (position > 0).to(x)[:, None, None]  # (B, L, F, offsets)
        for block, bias, own in self._layers(memory, near):
            x = block.look_back(x, *block.own(x), later)  # (B, L, H)
            x, attention = block.look_up(x, own, bias)  # (B, L, H), (B, L, F)
            x = block.think(x)  # (B, L, H)
        return self.head(x).log_softmax(dim=2), attention

    def _layers(self, memory: Tensor, near: Tensor) -> list[tuple[Block, Tensor, Tensor]]:
        """Return of every layer the block, its bias (., A, S, F) and its memory (., F, 2K)."""
        silence = memory[:, None, None, :, -1]  # (., 1, 1, F)
        biases = self.location(near).movedim(3, 1) + silence  # (., N A, S, F)
        memories = memory[:, :, :-1].chunk(len(self.decoder), dim=2)  # (., F, 2K) each
        blocks = _blocks(self.decoder)
        return list(zip(blocks, biases.chunk(len(blocks), dim=1), memories, strict=True))


def _blocks(layers: nn.ModuleList) -> list[Block]:
    return [layer for layer in layers if isinstance(layer, Block)]


def _waves(n_frames: int, n_width: int) -> Tensor:
    """Return sinusoids (F, H) that tell frames apart (Vaswani et al. 2017, section 3.5)."""
    frame = torch.arange(n_frames)[:, None]  # (F, 1)
    rate = torch.exp(torch.arange(0, n_width, 2) * (-math.log(10_000.0) / n_width))  # (H / 2,)
    return torch.cat([torch.sin(frame * rate), torch.cos(frame * rate)], dim=1)  # (F, H)
