"""A training's diagnostics: what a recipe's ``[diagnostics]`` asks for, in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.training.diagnostics.attention import AttentionWatch
from tools.training.diagnostics.gradients import GradientWatch
from tools.training.diagnostics.resources import ResourceWatch
from tools.training.diagnostics.weights import WeightWatch
from tools.training.observer import Observer

if TYPE_CHECKING:
    from pathlib import Path

    from tools.training.diagnostics.record import Alarm, Part
    from tools.training.diagnostics.settings import DiagnosticsSettings
    from tools.training.observer import Watched


def make_observer(settings: DiagnosticsSettings, folder: Path) -> Observer:
    """Return who writes what ``settings`` ask for into ``folder``; nobody if it is nothing."""
    watches: list[Observer] = []
    if "resources" in settings.show or settings.batch_sizes:
        watches.append(ResourceWatch(folder / "resources.json", batch_sizes=settings.batch_sizes))
    if "gradients" in settings.show:
        watches.append(GradientWatch(folder / "gradients.json", every=settings.every))
    if "weights" in settings.show:
        watches.append(WeightWatch(folder / "weights.json", n_looks=settings.n_looks))
    if "attention" in settings.show:
        watches.append(AttentionWatch(folder / "attention.json", n_looks=settings.n_looks))
    return Diagnostics(watches) if watches else Observer()


class Diagnostics(Observer):
    """Several observers as one; what they take themselves is a part of its own."""

    def __init__(self, watches: list[Observer]) -> None:
        self._watches = watches

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What the gradients broke so far."""
        found = (w.record.alarms for w in self._watches if isinstance(w, GradientWatch))
        return next(found, ())

    def on_start(self, step: int, watched: Watched) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.on_start(step, watched)

    def did(self, part: Part) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.did(part)

    def on_backward(self, step: int) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.on_backward(step)
        self.did("diagnostics")

    def on_step(self, step: int) -> None:
        """Tell all, the resources last: their row holds the whole step."""
        self.did("rest")
        for watch in self._watches[::-1]:
            if isinstance(watch, ResourceWatch):
                watch.did("diagnostics")
            watch.on_step(step)

    def on_save(self, step: int) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.on_save(step)

    def on_end(self, step: int) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.on_end(step)
