"""A recurrent encoder-decoder with attention that knows where it was.

    samples ─▶ features ─▶ GRU, both ways ─▶ memory
    symbol before, what was read ─▶ GRU cell ─▶ attention over memory ─▶ next symbol

The attention is additive (Bahdanau et al. 2015) with a term for the location, as in Chorowski et
al. 2015; here the location is one number, the place of the attention of the step before. Letters as
in ``models.seq2seq``; U units of the decoder, A width of the attention's keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.seq2seq import Seq2SeqNetwork, Seq2SeqSettings, place_of

if TYPE_CHECKING:
    from models.network import State


class RecurrentSettings(Seq2SeqSettings, frozen=True):
    """The shape: ``n_layers`` of ``n_units`` each way listen, ``n_decoder`` units write.

    Attention compares vectors of ``n_keys``.
    """

    n_units: int = 128
    n_layers: int = 1
    n_decoder: int = 192
    n_keys: int = 128


class Recurrent(Seq2SeqNetwork):
    """The network; see the module. Its memory is keys, values and silence, D = A + H + 1."""

    settings_type = RecurrentSettings
    settings: RecurrentSettings

    def __init__(self, settings: RecurrentSettings) -> None:
        super().__init__(settings)
        s = settings
        self.n_hidden = 2 * s.n_units
        self.gru = nn.GRU(
            s.n_features,
            s.n_units,
            s.n_layers,
            batch_first=True,
            bidirectional=True,
            dropout=s.dropout if s.n_layers > 1 else 0.0,
        )
        self.drop = nn.Dropout(s.dropout)
        self.key = nn.Linear(self.n_hidden, s.n_keys)
        self.symbol = nn.Embedding(s.n_symbols, s.n_decoder)
        self.cell = nn.GRUCell(s.n_decoder + self.n_hidden, s.n_decoder)
        self.query = nn.Linear(s.n_decoder, s.n_keys, bias=False)
        self.location = nn.Linear(s.back_frames + 1 + s.ahead_frames, s.n_keys, bias=False)
        self.energy = nn.Linear(s.n_keys, 1, bias=False)
        self.head = nn.Linear(s.n_decoder + self.n_hidden, s.n_symbols)

    def frames(self, samples: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Return frames (B, F, H) of ``samples`` (B, T, C)."""
        x = self.hear(samples)  # (B, F, Q)
        if n_frames is None:
            x, _ = self.gru(x)  # (B, F, H)
        else:  # the way back begins at each window's own end
            packed = pack_padded_sequence(x, n_frames.cpu(), batch_first=True, enforce_sorted=False)
            x, _ = pad_packed_sequence(
                self.gru(packed)[0], batch_first=True, total_length=x.shape[1]
            )
        dropped: Tensor = self.drop(x)  # (B, F, H)
        return dropped

    def look_up_in(self, frames: Tensor) -> Tensor:
        """Return keys and values (B, F, A + H) of ``frames`` (B, F, H)."""
        return torch.cat([self.key(frames), frames], dim=2)  # (B, F, A + H)

    def initial_cache(self, n_rows: int) -> State:
        """Return ``(hidden (R, U), read (R, H), place (R, 1))``, zeros."""
        widths = (self.settings.n_decoder, self.n_hidden, 1)
        return tuple(torch.zeros(n_rows, width) for width in widths)

    def step(
        self, tokens: Tensor, position: Tensor, memory: Tensor, *cache: Tensor
    ) -> tuple[Tensor, ...]:
        """Return ``(log_probs (R, V), attention (R, F), *next_cache)`` of one more symbol."""
        hidden, read, place = cache  # (R, U), (R, H), (R, 1)
        n_keys = self.settings.n_keys
        keys, values, silence = memory[..., :n_keys], memory[..., n_keys:-1], memory[..., -1:]
        x = torch.cat([self.symbol(tokens), read], dim=1)  # (R, U + H)
        hidden = self.cell(x, hidden)  # (R, U)
        is_later = (position > 0).to(place.dtype)  # (1,)
        near = self.nearness(place, memory.shape[1]) * is_later  # (R, F, N)
        energy = torch.tanh(self.query(hidden)[:, None] + keys + self.location(near))  # (R, F, A)
        attention = (self.energy(energy) + silence)[..., 0].softmax(dim=1)  # (R, F)
        read = (attention[:, None] @ values)[:, 0]  # (R, H)
        scores = self.head(self.drop(torch.cat([hidden, read], dim=1)))  # (R, V)
        return scores.log_softmax(dim=1), attention, hidden, read, place_of(attention)
