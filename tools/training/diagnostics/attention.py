"""What a network attends to in one and the same example, looked at now and then.

Beside the maps stands the entropy of every head over that of attending to all alike: 1 knows no
place, 0 looks at one place only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from tools.training.diagnostics.attention_maps import AttentionTap
from tools.training.diagnostics.record import (
    AttentionLook,
    AttentionRecord,
    read_record,
    write_record,
)
from tools.training.observer import Observer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tools.training.observer import Watched

MAX_SIZE = 128
"""Rows and columns of a map that are kept; of a larger one, every nth."""


class AttentionWatch(Observer):
    """Looks before training, ``n_looks`` times on the way, and at the end.

    Of a network without attention it keeps nothing.
    """

    def __init__(self, path: Path, *, n_looks: int) -> None:
        self._path, self._n_looks = path, n_looks
        self._record = AttentionRecord()
        self._every = 1

    def on_start(self, step: int, watched: Watched) -> None:
        """Take the first look, or read back the earlier ones."""
        self._watched = watched
        self._batch = watched.examples.batch(0, progress=1.0, rows=slice(0, 1))
        self._every = max(1, watched.n_steps // self._n_looks)
        found = read_record(self._path, AttentionRecord) if step else None
        if found is not None:
            looks = tuple(look for look in found.looks if look.step <= step)
            self._record = msgspec.structs.replace(found, looks=looks)
        if not self._record.looks:
            self._look(step)

    def on_step(self, step: int) -> None:
        """Look where it is time."""
        if step % self._every == 0:
            self._look(step)

    def _look(self, step: int) -> None:
        looks = self._record.looks
        if looks and looks[-1].step >= step:
            return
        tap = hear(self._watched, self._batch)
        maps = tap.maps
        if not maps:
            return
        stride = {
            name: (-(-table.shape[1] // MAX_SIZE), -(-table.shape[2] // MAX_SIZE))
            for name, table in maps.items()
        }
        look = AttentionLook(
            step=step,
            maps={
                name: _rounded(table[:, :: stride[name][0], :: stride[name][1]])
                for name, table in maps.items()
            },
            entropy={name: entropy(table) for name, table in maps.items()},
        )
        self._record = AttentionRecord(
            stride=stride, looks_back=tuple(sorted(tap.looks_back)), looks=(*looks, look)
        )

    @property
    def record(self) -> AttentionRecord:
        """What was seen so far."""
        return self._record

    def on_save(self, step: int) -> None:
        """Write the record, if there is attention."""
        if self._record.looks:
            write_record(self._path, self._record)

    def on_end(self, step: int) -> None:
        """Take the last look; write the record and its plots."""
        from tools.training.diagnostics.plots import plot_attention, plot_heads

        self._look(step)
        self.on_save(step)
        if self._record.looks:
            plot_attention(self._record, self._path.with_suffix(".png"))
            plot_heads(self._record, self._path.with_name(f"{self._path.stem}_heads.png"))


def hear(watched: Watched, batch: Any) -> AttentionTap:
    """Return what heard the attention to a batch of one, the training being left as it is."""
    learner, tap = watched.learner, AttentionTap()
    parts, was_training = learner.parts, learner.training
    learner.eval()
    devices = [watched.fabric.device] if watched.fabric.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        torch.manual_seed(0)
        with tap.listening(learner.network):
            learner.loss(batch, progress=1.0)
    learner.train(was_training)
    learner.parts = parts
    return tap


def entropy(table: NDArray[np.float32]) -> tuple[float, ...]:
    """Return of each head of (H, S, O) its mean entropy, over that of attending to all alike."""
    if table.shape[2] == 1:
        return (0.0,) * len(table)
    nats = -np.sum(table * np.log(np.maximum(table, 1e-12)), axis=2).mean(axis=1)  # (H,)
    return tuple(round(float(v), 4) for v in nats / np.log(table.shape[2]))


def _rounded(table: NDArray[np.float32]) -> tuple[tuple[tuple[float, ...], ...], ...]:
    return tuple(tuple(tuple(round(float(v), 4) for v in row) for row in head) for head in table)
