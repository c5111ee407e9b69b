"""What a training shows of itself: a recipe's ``[diagnostics]``. Nothing, unless it is asked to."""

from __future__ import annotations

from typing import Literal

from pipeline.spec import Settings

Shown = Literal["gradients", "weights", "attention", "resources"]


class DiagnosticsSettings(Settings, frozen=True, kw_only=True):
    """Which diagnostics are written, as JSON and as PNG.

    Gradients are measured ``every`` so many steps, weights and attention ``n_looks`` times over the
    training and at its end. ``batch_sizes``: how many examples a step are tried for their memory
    and time before the training begins.

    Raises:
        ValueError: a number is out of its range; names it.
    """

    show: tuple[Shown, ...] = ()
    every: int = 5
    n_looks: int = 12
    batch_sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("every", "n_looks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted 1 or more")
        if any(n < 1 for n in self.batch_sizes):
            raise ValueError(f"batch_sizes: got {min(self.batch_sizes)}, wanted 1 or more")
