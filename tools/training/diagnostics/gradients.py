"""How large the gradients of each part of a network are, and an alarm where they die or explode.

A part's *relative* gradient is the root mean square of its gradients over that of its weights (at
least :data:`LEAST_WEIGHT`: what begins at zero has no size of its own). The rules, each to hold
over :data:`N_PATIENCE` looks in a row:

- exploding: relative above :data:`CEILING`, or above :data:`SURGE` times the part's median of the
  :data:`N_MEDIAN` looks before; at once where a gradient is not finite.
- vanishing, of a part that has a matrix: relative below :data:`FLOOR`, below :data:`SHARE` of the
  network's largest, or below 1 / :data:`SURGE` of the part's own median.

At the beginning of its recipe every family here lies between 1e-4 (the embedding of symbols) and 40
(a conformer's head at its first step).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from tools.training.diagnostics.record import (
    CEILING,
    FLOOR,
    KINDS,
    Alarm,
    GradientRecord,
    Kind,
    PartGradients,
)
from tools.training.observer import Observer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from tools.training.observer import Watched

LEAST_WEIGHT = 0.01
SHARE = 1e-6
SURGE = 100.0
N_PATIENCE = 3
N_MEDIAN = 50
N_FIRST = 10
"""Looks before a median counts."""


def part_of(name: str) -> str:
    """Return the part of the network that a parameter belongs to: a layer, a block or a module."""
    layer = re.search(r"_l(\d+)(_reverse)?$", name)
    words = name.split(".")
    if layer:
        return ".".join([*words[:-1], f"layer {layer[1]}"])
    numbers = [k for k, word in enumerate(words) if word.isdigit()]
    return ".".join(words[: numbers[0] + 1 if numbers else 1])


def parts_of(network: nn.Module) -> dict[str, list[Tensor]]:
    """Return the parameters of each part, in the network's order."""
    parts: dict[str, list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        parts.setdefault(part_of(name), []).append(parameter)
    return parts


def find_alarms(
    steps: Iterable[int],
    relative: dict[str, NDArray[np.float64]],
    *,
    vectors: frozenset[str] = frozenset(),
) -> tuple[Alarm, ...]:
    """Return what broke a rule, each part's first of each kind, in order of steps.

    Args:
        steps: of the looks.
        relative: of each part, ``(n_looks,)``; not finite where a gradient was not.
        vectors: parts of gains and biases alone. They may not explode, but a gain that a later
            normalisation takes back has no gradient in the best of networks.
    """
    at = list(steps)
    largest = np.max([np.nan_to_num(r, posinf=0.0) for r in relative.values()], axis=0)
    alarms = []
    for part, values in relative.items():
        for kind in KINDS:
            alarm = _first(kind, part, at, values, largest)
            if alarm is not None and not (kind == "vanishing" and part in vectors):
                alarms.append(alarm)
    return tuple(sorted(alarms, key=lambda a: a.step))


def _first(
    kind: Kind,
    part: str,
    steps: list[int],
    values: NDArray[np.float64],
    largest: NDArray[np.float64],
) -> Alarm | None:
    """Return the first alarm of ``kind``, None where there is none."""
    n_in_a_row = 0
    for k, value in enumerate(values):
        if not np.isfinite(value):
            if kind == "exploding":
                return Alarm(
                    kind=kind, part=part, step=steps[k], rule="not finite", value=None, limit=None
                )
            continue
        before = values[max(0, k - N_MEDIAN) : k]
        median = float(np.median(before)) if len(before) >= N_FIRST else None
        broken = _broken(kind, float(value), median, float(largest[k]))
        n_in_a_row = n_in_a_row + 1 if broken else 0
        if broken and n_in_a_row == N_PATIENCE:
            rule, limit = broken
            return Alarm(
                kind=kind, part=part, step=steps[k], rule=rule, value=float(value), limit=limit
            )
    return None


def _broken(
    kind: Kind, value: float, median: float | None, largest: float
) -> tuple[Literal["ceiling", "surge", "floor", "share", "collapse"], float] | None:
    """Return the rule that ``value`` breaks, and its limit."""
    if kind == "exploding":
        if value > CEILING:
            return "ceiling", CEILING
        if median is not None and value > SURGE * median > 0.0:
            return "surge", SURGE * median
        return None
    if value < FLOOR:
        return "floor", FLOOR
    if value < SHARE * largest:
        return "share", SHARE * largest
    if median is not None and value < median / SURGE:
        return "collapse", median / SURGE
    return None


class GradientWatch(Observer):
    """Measures gradients every so many steps; norms wait on their device until they are asked."""

    def __init__(self, path: Path, *, every: int) -> None:
        self._path, self._every = path, every
        self._parts: dict[str, list[Tensor]] = {}
        self._waiting: list[tuple[int, float, Tensor]] = []
        self._steps: list[int] = []
        self._rows: list[NDArray[np.float64]] = []  # (n_parts, 2): norm, relative

    def on_start(self, step: int, watched: Watched) -> None:
        """Hear that training goes on from ``step``; earlier looks are read back."""
        from tools.training.diagnostics.record import read_record

        self._watched = watched
        self._parts = parts_of(watched.learner.network)
        found = read_record(self._path, GradientRecord)
        if found is None or set(found.parts) != set(self._parts):
            return
        for k, at in enumerate(found.steps):
            if at <= step:
                self._steps.append(at)
                row = [(p.norm[k], p.relative[k]) for p in map(found.parts.get, self._parts) if p]
                self._rows.append(np.array(row, dtype=np.float64))

    def on_backward(self, step: int) -> None:
        """Measure where it is time."""
        if step % self._every:
            return
        with torch.no_grad():
            rows = [_sizes(parameters) for parameters in self._parts.values()]
            scale = self._watched.fabric.strategy.precision.state_dict().get("scale", 1.0)
            self._waiting.append((step + 1, float(scale), torch.stack(rows)))

    @property
    def record(self) -> GradientRecord:
        """What was seen so far."""
        self._settle()
        table = np.stack(self._rows, axis=1) if self._rows else np.empty((len(self._parts), 0, 2))
        relative = dict(zip(self._parts, table[:, :, 1], strict=True))
        vectors = frozenset(n for n, ps in self._parts.items() if all(p.ndim < 2 for p in ps))
        return GradientRecord(
            steps=tuple(self._steps),
            parts={
                name: PartGradients(
                    n_parameters=sum(p.numel() for p in parameters),
                    norm=_nullable(of_part[:, 0]),
                    relative=_nullable(of_part[:, 1]),
                )
                for (name, parameters), of_part in zip(self._parts.items(), table, strict=True)
            },
            alarms=find_alarms(self._steps, relative, vectors=vectors) if self._steps else (),
        )

    def _settle(self) -> None:
        for step, scale, sizes in self._waiting:
            self._steps.append(step)
            norm, gradient, weight = sizes.double().cpu().numpy().T / [[scale], [scale], [1.0]]
            relative = gradient / np.maximum(weight, LEAST_WEIGHT)
            self._rows.append(np.stack([norm, relative], axis=1))
        self._waiting = []

    def on_save(self, step: int) -> None:
        """Write the record."""
        from tools.training.diagnostics.record import write_record

        write_record(self._path, self.record)

    def on_end(self, step: int) -> None:
        """Write the record and its plot."""
        from tools.training.diagnostics.plots import plot_gradients

        self.on_save(step)
        if self._steps:
            plot_gradients(self.record, self._path.with_suffix(".png"))


def _sizes(parameters: list[Tensor]) -> Tensor:
    """Return norm of the gradients, their root mean square and that of the weights, (3,)."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(3, device=parameters[0].device)  # (3,)
    norm = torch.stack(torch._foreach_norm(gradients)).float().norm()  # ()
    weight = torch.stack(torch._foreach_norm(parameters)).float().norm()  # ()
    n = sum(p.numel() for p in parameters) ** 0.5
    return torch.stack([norm, norm / n, weight / n])  # (3,)


def _nullable(values: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(float(f"{v:.6g}") if np.isfinite(v) else None for v in values)
