"""Where a training's time and memory go: waiting for data, forward, backward, optimiser, the rest.

``data`` is the waiting alone: the next batch is made in a thread of its own meanwhile. Memory by
part is counted in tensors: the batch, what the forward pass keeps for the backward pass, gradients,
the optimiser's moments. What the process takes beyond them are libraries and its allocator's
reserve. On CUDA the device's own count is used, and every part waits for it.
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, get_args

import torch

from tools.training.diagnostics.batch_sweep import batch_bytes, kept_bytes, sweep
from tools.training.diagnostics.memory import peak_bytes, reset_peak, resident_bytes
from tools.training.diagnostics.record import (
    BatchSize,
    Part,
    ResourceRecord,
    Row,
    read_record,
    write_record,
)
from tools.training.observer import Observer

if TYPE_CHECKING:
    from pathlib import Path

    from tools.training.observer import Watched

PARTS: tuple[Part, ...] = get_args(Part)

MAX_ROWS = 80
"""Rows of the record; a row is as many steps as make it so."""


class ResourceWatch(Observer):
    """Takes the time of every step, and its memory."""

    def __init__(self, path: Path, *, batch_sizes: tuple[int, ...] = ()) -> None:
        self._path, self._sizes = path, batch_sizes
        self._sweep: tuple[BatchSize, ...] = ()
        self._rows: list[Row] = []
        self._activations = self._batch = 0

    def on_start(self, step: int, watched: Watched) -> None:
        """Count the activations of a step, and try the batch sizes that were asked for."""
        self._watched, self._device = watched, watched.fabric.device
        twin = copy.deepcopy(watched.learner)  # a forward pass may change what a learner remembers
        batch = watched.examples.batch(0, progress=0.0)
        self._batch, self._activations = batch_bytes(batch), kept_bytes(twin, batch)
        self._sweep = sweep(twin, watched.examples, self._sizes, device=self._device)
        found = read_record(self._path, ResourceRecord) if step else None
        self._rows = [row for row in found.rows if row.step <= step] if found else []
        self._every = max(1, (watched.n_steps - step) // MAX_ROWS)
        self._clear()
        self._since = time.perf_counter()

    def _clear(self) -> None:
        self._n_steps = 0
        self._seconds = dict.fromkeys(PARTS, 0.0)
        reset_peak(self._device)

    def did(self, part: Part) -> None:
        """Add the time since the last part."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self._seconds[part] += now - self._since
        self._since = now

    def on_step(self, step: int) -> None:
        """Make a row of the last steps, where they are enough."""
        self._n_steps += 1
        if self._n_steps < self._every:
            return
        peak = peak_bytes(self._device)
        total_s = sum(self._seconds.values())
        n_examples = self._n_steps * self._watched.examples.n_batch
        self._rows.append(
            Row(
                step=step,
                n_steps=self._n_steps,
                ms={p: round(1e3 * s / self._n_steps, 4) for p, s in self._seconds.items()},
                examples_per_s=round(n_examples / total_s, 3),
                resident_mib=_mib(resident_bytes(self._device)),
                peak_mib=None if peak is None else _mib(peak),
            )
        )
        self._clear()

    @property
    def record(self) -> ResourceRecord:
        """What was seen so far, of this process alone."""
        learner = self._watched.learner
        moments = self._watched.optimiser.state.values()
        gradients = (p.grad for p in learner.parameters() if p.grad is not None)
        tensors = {
            "parameters": sum(p.nbytes for p in learner.parameters()),
            "batch (data)": self._batch,
            "activations (forward)": self._activations,
            "gradients (backward)": sum(g.nbytes for g in gradients),
            "moments (optimiser)": sum(
                t.nbytes for of in moments for t in of.values() if torch.is_tensor(t)
            ),
        }
        return ResourceRecord(
            device=str(self._device),
            n_batch=self._watched.examples.n_batch,
            tensors_mib={name: _mib(n) for name, n in tensors.items()},
            rows=tuple(self._rows),
            batch_sizes=self._sweep,
        )

    def on_save(self, step: int) -> None:
        """Write the record."""
        write_record(self._path, self.record)

    def on_end(self, step: int) -> None:
        """Write the record and its plots."""
        from tools.training.diagnostics.plots import plot_batch_sizes, plot_resources

        self.on_save(step)
        if self._rows:
            plot_resources(self.record, self._path.with_suffix(".png"))
        if self._sweep:
            plot_batch_sizes(self.record, self._path.with_name("batch_sizes.png"))


def _mib(n_bytes: int) -> float:
    return round(n_bytes / 2**20, 3)
