"""The network of published speech neuroprostheses: features at 50 Hz to a frame every 80 ms.

    features ─▶ layer of the day ─▶ softsign ─▶ [10 frames | 4 new] ─▶ five GRU layers ─▶ phonemes

Willett et al. 2023 and Card et al. 2024. A frame sees the newest 14 feature frames, flattened, and
through the GRU all that went before. What electrodes hear drifts from day to day: each recording
day has an input layer of its own, and all share the rest. A network runs, and is exported, for one
day. With 512 inputs, 41 outputs and 45 days it has 44 315 177 parameters, 32 758 313 of them for
any one day.

Weights trained elsewhere come in as safetensors, never as a pickle; :func:`load_published` says
what is called what.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.network import CtcNetwork, NetworkSettings, State
from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping

WRAPPERS: Final = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before the names of weights."""


class SpeechGruSettings(NetworkSettings, frozen=True):
    """The shape of the network; ``day`` is the one of ``n_days`` that it runs for."""

    patch_samples: int = 4
    kernel_samples: int = 14
    n_hidden: int = 768
    n_layers: int = 5
    n_days: int = 45
    day: int = 0
    dropout: float = 0.4
    input_dropout: float = 0.2


class SpeechGru(CtcNetwork):
    """The network; see the module. L layers, K the kernel's frames, P the patch's, H units.

    Its state is ``(hidden, context)``: the GRU's, less its learned start ``h0`` so that it begins
    with zeros, and the last K - P feature frames behind the layer of the day.
    """

    settings_type = SpeechGruSettings
    settings: SpeechGruSettings

    def __init__(self, settings: SpeechGruSettings) -> None:
        super().__init__(settings)
        s = settings
        if s.kernel_samples < s.patch_samples:
            raise ValueError(
                f"kernel_samples: {s.kernel_samples} must be >= patch_samples {s.patch_samples}"
            )
        if not 0 <= s.day < s.n_days:
            raise ValueError(f"day: got {s.day}, wanted 0 to {s.n_days - 1}")
        days = range(s.n_days)
        self.day_weights = nn.ParameterList([nn.Parameter(torch.eye(s.n_inputs)) for _ in days])
        self.day_biases = nn.ParameterList([nn.Parameter(torch.zeros(1, s.n_inputs)) for _ in days])
        self.input_dropout = nn.Dropout(s.input_dropout)
        self.gru = nn.GRU(
            s.kernel_samples * s.n_inputs,
            s.n_hidden,
            s.n_layers,
            batch_first=True,
            dropout=s.dropout if s.n_layers > 1 else 0.0,
        )
        for name, weight in self.gru.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(weight)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(weight)
        self.head = nn.Linear(s.n_hidden, s.n_symbols)
        nn.init.xavier_uniform_(self.head.weight)
        self.h0 = nn.Parameter(nn.init.xavier_uniform_(torch.zeros(1, 1, s.n_hidden)))

    @property
    def n_context(self) -> int:
        """How many feature frames before its patch a frame sees."""
        return self.settings.kernel_samples - self.settings.patch_samples

    def initial_state(self, n_batch: int = 1) -> State:
        """Return the state before the first sample: all zeros."""
        s = self.settings
        hidden = torch.zeros(s.n_layers, n_batch, s.n_hidden)  # (L, B, H)
        return hidden, torch.zeros(n_batch, self.n_context, s.n_inputs)  # (B, K - P, C)

    def encode(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return ``(frames, *next_state)``: what the head reads, (B, F, H)."""
        s = self.settings
        hidden, context = state  # (L, B, H), (B, K - P, C)
        x = samples @ self.day_weights[s.day] + self.day_biases[s.day]  # (B, T, C)
        x = self.input_dropout(functional.softsign(x))  # (B, T, C)
        x = torch.cat([context, x], dim=1)  # (B, K - P + T, C)
        keep = x[:, x.shape[1] - self.n_context :]  # (B, K - P, C)
        x = x.unfold(1, s.kernel_samples, s.patch_samples)  # (B, F, C, K)
        x = x.transpose(2, 3).flatten(2)  # (B, F, K * C), oldest feature frame first
        x, hidden = self.gru(x, hidden + self.h0)  # (B, F, H), (L, B, H)
        return x, hidden - self.h0, keep


def load_published(weights: Mapping[str, Tensor], *, day: int, patch_samples: int = 4) -> SpeechGru:
    """Return the network with weights of a ``GRUDecoder`` of nejm-brain-to-text, to be evaluated.

    Names there and here: ``day_weights.i`` (C, C), ``day_biases.i`` (1, C), ``gru.*`` and ``h0``
    (1, 1, H) are the same, ``out.*`` is ``head.*``. All shapes follow from the weights, but for how
    far patches lie apart.

    Args:
        weights: by name; from a safetensors file.
        day: which of the days' input layers runs.
        patch_samples: feature frames between patches.

    Raises:
        BundleError: weights are missing, unknown, or of shapes that do not belong together.
    """
    named = {_bare(name): tensor for name, tensor in weights.items()}
    try:
        n_days = sum(name.startswith("day_weights.") for name in named)
        n_inputs = len(named["day_weights.0"])
        n_symbols, n_hidden = named["out.weight"].shape
        settings = SpeechGruSettings(
            n_inputs=n_inputs,
            n_symbols=n_symbols,
            patch_samples=patch_samples,
            kernel_samples=named["gru.weight_ih_l0"].shape[1] // n_inputs,
            n_hidden=n_hidden,
            n_layers=sum(name.startswith("gru.weight_ih_l") for name in named),
            n_days=n_days,
            day=day,
        )
        network = SpeechGru(settings)
        network.load_state_dict(
            {re.sub(r"^out\.", "head.", name): tensor.float() for name, tensor in named.items()}
        )
    except KeyError as error:
        raise BundleError(f"weights: no {error.args[0]} among {sorted(named)[:6]}…") from None
    except (RuntimeError, ValueError, ZeroDivisionError) as error:
        raise BundleError(f"weights: do not fit together ({error})") from None
    return network.eval()


def _bare(name: str) -> str:
    """Return a name without what wraps put before it."""
    for wrapper in WRAPPERS * 2:
        name = name.removeprefix(wrapper)
    return name
