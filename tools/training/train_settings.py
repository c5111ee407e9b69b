"""How a training goes: its length, its rate, and when it stops."""

from __future__ import annotations

import math
from typing import Literal

from pipeline.spec import Settings

Precision = Literal["32", "bf16-mixed", "16-mixed"]


class TrainSettings(Settings, frozen=True, kw_only=True):
    """All that the loop needs to know, and, with examples and network, all that decides weights.

    ``rate`` falls to zero as half a cosine over ``n_steps`` after ``n_warm_up`` steps. A
    gradient longer than ``largest_gradient`` is shortened to it. ``precision`` is that of the
    computing; weights are always float32. Every ``checkpoint_every`` steps all is written down.

    With ``validate_every`` the fixed validation examples are heard after so many steps; with
    ``patience`` the training ends after so many of these without a smaller ``monitor``, and
    the weights of the smallest are kept.

    With ``keep_early`` the bundle also holds the weights after so many steps, for ``prune`` to
    rewind to.

    Raises:
        ValueError: a number is out of its range; names it.
    """

    n_steps: int = 1500
    rate: float = 4e-3
    n_warm_up: int = 30
    weight_decay: float = 1e-4
    largest_gradient: float = 1.0
    precision: Precision = "32"
    seed: int = 0
    checkpoint_every: int = 100
    validate_every: int = 0
    patience: int = 0
    monitor: str = "loss"
    keep_early: int = 0

    def __post_init__(self) -> None:
        least = {
            "n_steps": 1,
            "n_warm_up": 1,
            "seed": 0,
            "checkpoint_every": 1,
            "validate_every": 0,
            "patience": 0,
            "keep_early": 0,
            "rate": 0.0,
            "weight_decay": 0.0,
            "largest_gradient": 0.0,
        }
        for name, minimum in least.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= minimum):
                raise ValueError(f"{name}: got {value}, wanted {minimum:g} or more")
        if self.patience and not self.validate_every:
            raise ValueError("patience: wanted validate_every with it")

    def rate_at(self, step: int) -> float:
        """Return the learning rate of ``step``."""
        warm = min(1.0, (step + 1) / self.n_warm_up)
        return self.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / self.n_steps))
