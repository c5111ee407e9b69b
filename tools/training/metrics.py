"""Figures of every step, left where they were computed and written many steps at a time.

A step never waits for its figures: they are gathered on their device, moved once, averaged over the
processes once, and the file of JSON lines is replaced as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import torch

from runtime.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lightning_fabric import Fabric
    from torch import Tensor

Row = dict[str, Any]


class Metrics:
    """Collects steps' figures for ``path``, and goes on from what was written up to ``step``."""

    def __init__(self, path: Path, *, step: int) -> None:
        self._path = path
        self._waiting: list[tuple[Row, Mapping[str, Tensor | float]]] = []
        self._written: list[Row] = []
        if step and path.is_file():
            rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
            self._written = [row for row in rows if row["step"] <= step]

    def add(self, figures: Mapping[str, Tensor | float], **known: Any) -> None:
        """Take the figures of a step, detached, and what is ``known`` of it on the host."""
        self._waiting.append((known, figures))

    def flush(self, fabric: Fabric) -> list[Row]:
        """Write all rows and return those that are new; all processes must take part."""
        if not self._waiting:
            return []
        figures = [
            torch.as_tensor(value, dtype=torch.float64, device=fabric.device)
            for _, row in self._waiting
            for value in row.values()
        ]
        values = torch.stack(figures)  # (N,)
        if fabric.world_size > 1:
            values = cast("Tensor", fabric.all_reduce(values, reduce_op="mean"))
        moved = iter(values.tolist())
        rows = [known | {name: next(moved) for name in row} for known, row in self._waiting]
        self._waiting = []
        self._written += rows
        if fabric.is_global_zero:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, b"".join(msgspec.json.encode(r) + b"\n" for r in self._written))
        return rows
