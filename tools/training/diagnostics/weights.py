"""How the weights of each part of a network are spread, looked at now and then.

Of a part that has matrices only these count: gains and biases, few and near 1 and 0, would make the
rest a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tools.training.diagnostics.gradients import parts_of
from tools.training.diagnostics.plots import plot_weights
from tools.training.diagnostics.record import Histogram, WeightRecord, read_record, write_record
from tools.training.observer import Observer

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from tools.training.observer import Watched

N_BINS = 60


class WeightWatch(Observer):
    """Takes histograms before training, ``n_looks`` times on the way, and at the end."""

    def __init__(self, path: Path, *, n_looks: int) -> None:
        self._path, self._n_looks = path, n_looks
        self._looks: dict[str, list[Histogram]] = {}
        self._every = 1

    def on_start(self, step: int, watched: Watched) -> None:
        """Take the first look, or read back the earlier ones."""
        self._network = watched.learner.network
        self._every = max(1, watched.n_steps // self._n_looks)
        parts = parts_of(self._network)
        found = read_record(self._path, WeightRecord) if step else None
        earlier = found.parts if found is not None else {}
        self._looks = {p: [h for h in earlier.get(p, ()) if h.step <= step] for p in parts}
        if not all(self._looks.values()):
            self._look(step)

    def on_step(self, step: int) -> None:
        """Look where it is time."""
        if step % self._every == 0:
            self._look(step)

    def _look(self, step: int) -> None:
        for part, parameters in parts_of(self._network).items():
            if not self._looks[part] or self._looks[part][-1].step < step:
                self._looks[part].append(histogram(parameters, step=step))

    @property
    def record(self) -> WeightRecord:
        """What was seen so far."""
        return WeightRecord(parts={part: tuple(looks) for part, looks in self._looks.items()})

    def on_save(self, step: int) -> None:
        """Write the record."""
        write_record(self._path, self.record)

    def on_end(self, step: int) -> None:
        """Take the last look; write the record and its plot."""
        self._look(step)
        self.on_save(step)
        plot_weights(self.record, self._path.with_suffix(".png"))


def histogram(parameters: list[Tensor], *, step: int) -> Histogram:
    """Return how the values of ``parameters`` are spread."""
    matrices = [p for p in parameters if p.ndim > 1] or parameters
    with torch.no_grad():
        values = torch.cat([p.flatten() for p in matrices]).float().cpu()  # (N,)
    is_finite = values.isfinite()  # (N,)
    values = values[is_finite]
    low, high = (values.min().item(), values.max().item()) if len(values) else (0.0, 0.0)
    if high - low < 1e-6:
        low, high = low - 5e-7, high + 5e-7
    counts = torch.histc(values, bins=N_BINS, min=low, max=high)  # (N_BINS,)
    return Histogram(
        step=step,
        low=low,
        high=high,
        counts=tuple(int(n) for n in counts),
        rms=values.square().mean().sqrt().item() if len(values) else 0.0,
        n_not_finite=int((~is_finite).sum()),
    )
