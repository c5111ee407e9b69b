"""What a sequence-to-sequence network learns from: its text, and whatever is known of timing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from models.seq2seq import END, place_of
from pipeline.spec import Settings
from tools.training.data.examples import UNKNOWN
from tools.training.learner import Learner

if TYPE_CHECKING:
    from torch import Tensor

    from models.seq2seq import Seq2SeqNetwork
    from tools.training.data.windows import WindowBatch

LEAST_MASS = 1e-6
"""Attention below this is taken for this much, so that its logarithm stays a number."""


SHARES = frozenset({"smoothing", "swap_chance", "own_places", "own_places_from"})


class Seq2SeqLearnerSettings(Settings, frozen=True, kw_only=True):
    """How much each part counts, and how the text so far is disturbed.

    ``timing_weight``: naming the symbol that is on at each frame. ``guide_weight``: attention on
    the frames of the symbol that is written. Both are off where nobody knows the timing, and there
    ``ctc_weight`` counts: the text by CTC, from the encoder alone (Watanabe et al. 2017).
    ``smoothing``: belief that is left to all symbols alike (Szegedy et al. 2016).

    When the network writes by itself neither the text so far nor the place of attention will be
    perfect. So a symbol of the text so far is another in ``swap_chance``; the known place is off by
    ``place_noise_frames``; and in a share of the steps that rises to ``own_places`` at
    ``own_places_from`` through the training, the place is where the network's attention was.

    Raises:
        ValueError: a number is out of its range; names it.
    """

    timing_weight: float = 1.0
    guide_weight: float = 0.5
    ctc_weight: float = 0.5
    smoothing: float = 0.0
    swap_chance: float = 0.05
    place_noise_frames: float = 0.7
    own_places: float = 0.8
    own_places_from: float = 0.2

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            most = 1.0 if name in SHARES else math.inf
            value = getattr(self, name)
            if not 0.0 <= value <= most or math.isinf(value):
                raise ValueError(f"{name}: got {value}, wanted 0 to {most:g}")


class Seq2SeqLearner(Learner):
    """A network that learns to write; a head that only training has names what its frames hear."""

    network: Seq2SeqNetwork

    def __init__(
        self, network: Seq2SeqNetwork, settings: Seq2SeqLearnerSettings | None = None, *, seed: int
    ) -> None:
        super().__init__(network)
        self.settings = settings or Seq2SeqLearnerSettings()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.heard = nn.Linear(network.n_hidden, network.settings.n_symbols)

    def loss(self, batch: WindowBatch, *, progress: float) -> Tensor:
        """Return nats a symbol of the text, and those of timing, attention and CTC."""
        samples, labels = self.tensor(batch.samples), self.tensor(batch.labels)  # (B, T, C), (B, L)
        spans, on = self.tensor(batch.spans), self.tensor(batch.on)  # (B, L, 2), (B, F)
        is_even = bool((batch.n_frames == batch.n_frames[0]).all())
        n_frames = None if is_even else self.tensor(batch.n_frames)  # (B,)
        is_timed = bool((batch.on[:, 0] != UNKNOWN).all())

        frames = self.network.frames(samples, n_frames)  # (B, F, H)
        memory = self.network.remember(frames, n_frames)  # (B, F, D)
        before = self._text_so_far(labels)  # (B, L)
        places = None  # (B, L)
        if is_timed:
            places = self._places(spans, memory, before, progress=progress)
        log_probs, attention = self.network.decode(memory, before, places)

        s = self.settings
        weighted = {
            "text": (1.0, self._text_loss(log_probs.float(), labels)),
            "timing": (s.timing_weight, self._timing_loss(frames, on)),
            "guide": (s.guide_weight, guide_loss(attention.float(), spans)),
        }
        if not is_timed:
            ctc = self._ctc_loss(frames, labels, self.tensor(batch.n_frames))
            weighted["ctc"] = (s.ctc_weight, ctc)
        self.parts = {name: part.detach() for name, (_, part) in weighted.items()}
        return torch.stack([weight * part for weight, part in weighted.values()]).sum()

    def _text_so_far(self, labels: Tensor) -> Tensor:
        """Return what stands before each of ``labels`` (B, L), some of it swapped."""
        start = torch.full_like(labels[:, :1], END)  # (B, 1)
        before = torch.cat([start, labels[:, :-1]], dim=1).clamp(min=END)  # (B, L)
        is_swapped = torch.rand(before.shape, device=before.device) < self.settings.swap_chance
        other = torch.randint_like(before, 1, self.network.settings.n_symbols)  # (B, L)
        return torch.where(is_swapped & (before != END), other, before)  # (B, L)

    def _places(self, spans: Tensor, memory: Tensor, before: Tensor, *, progress: float) -> Tensor:
        """Return where attention lay before each symbol, (B, L).

        The middle of the span before, or where attention lies when it is given that.
        """
        s = self.settings
        middle = (spans[..., 0] + spans[..., 1] - 1) / 2.0  # (B, L)
        known = torch.cat([torch.zeros_like(middle[:, :1]), middle[:, :-1]], dim=1)  # (B, L)
        known = known + s.place_noise_frames * torch.randn_like(known)  # (B, L)
        share = s.own_places
        if progress < s.own_places_from:
            share *= progress / s.own_places_from
        if share == 0.0:
            return known
        with torch.no_grad():
            _, attention = self.network.decode(memory, before, known)  # (B, L, F)
        own = torch.cat([known[:, :1], place_of(attention.float())[:, :-1, 0]], dim=1)  # (B, L)
        return torch.where(torch.rand_like(known) < share, own, known)  # (B, L)

    def _text_loss(self, log_probs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean nats of ``labels`` (B, L), some belief left to every symbol."""
        right = log_probs.gather(2, labels.clamp(min=END)[..., None])[..., 0]  # (B, L)
        share = self.settings.smoothing
        nats = -(1.0 - share) * right - share * log_probs.mean(dim=2)  # (B, L)
        return _row_mean(nats, labels != UNKNOWN)

    def _timing_loss(self, frames: Tensor, on: Tensor) -> Tensor:
        """Return the mean nats of naming the symbol ``on`` (B, F), where it is known."""
        scores = self.heard(frames).float().transpose(1, 2)  # (B, V, F)
        nats = functional.cross_entropy(scores, on, ignore_index=UNKNOWN, reduction="none")
        return _row_mean(nats, on != UNKNOWN)

    def _ctc_loss(self, frames: Tensor, labels: Tensor, n_frames: Tensor) -> Tensor:
        """Return nats a symbol, as CTC counts them; the end is its blank."""
        scores = self.heard(frames).float().log_softmax(dim=2).transpose(0, 1)  # (F, B, V)
        n_labels = (labels > END).sum(dim=1)  # (B,)
        given = labels.clamp(min=END)  # (B, L)
        return functional.ctc_loss(scores, given, n_frames, n_labels, zero_infinity=True)


def guide_loss(attention: Tensor, spans: Tensor) -> Tensor:
    """Return the mean nats of ``attention`` (B, L, F) being within ``spans`` (B, L, 2)."""
    frame = torch.arange(attention.shape[2], device=attention.device)  # (F,)
    inside = (frame >= spans[..., :1]) & (frame < spans[..., 1:])  # (B, L, F)
    mass = (attention * inside).sum(dim=2)  # (B, L)
    return _row_mean(-torch.log(mass + LEAST_MASS), spans[..., 1] > spans[..., 0])


def _row_mean(values: Tensor, counts: Tensor) -> Tensor:
    """Return the mean over rows of each row's mean of ``values`` (B, N) where it ``counts``."""
    total = (values * counts).sum(dim=1) / counts.sum(dim=1).clamp(min=1)  # (B,)
    return total.mean()
