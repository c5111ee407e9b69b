"""Where a training lets itself be watched. It does nothing; who wants to know more inherits.

Of every step: ``did("data")`` once its batch is there, ``did("forward")``, ``did("backward")``,
:meth:`Observer.on_backward` while gradients are whole, ``did("optimiser")`` and, behind validation
and checkpoint, :meth:`Observer.on_step`. An observer changes no number of the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.optim import Optimizer

    from tools.training.data.examples import Examples
    from tools.training.diagnostics.record import Alarm, Part
    from tools.training.learner import Learner


@dataclass(frozen=True, slots=True)
class Watched:
    """What there is to look at; to be read only. Gradients are scaled as Fabric's scaler says."""

    learner: Learner
    examples: Examples
    fabric: Fabric
    optimiser: Optimizer
    n_steps: int


class Observer:
    """Hears how a training goes and looks at none of it: what a training has by default."""

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What went wrong so far; nobody who does not look finds anything."""
        return ()

    def on_start(self, step: int, watched: Watched) -> None:
        """Hear that training goes on from ``step``."""

    def did(self, part: Part) -> None:
        """Hear that a part of a step is over."""

    def on_backward(self, step: int) -> None:
        """Look at the gradients of ``step``, not yet clipped."""

    def on_step(self, step: int) -> None:
        """Hear that ``step`` steps are done."""

    def on_save(self, step: int) -> None:
        """Hear that a checkpoint of ``step`` steps was written."""

    def on_end(self, step: int) -> None:
        """Hear that this was all."""
