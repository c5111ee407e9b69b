"""What an optimisation is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tools.compression.optimizing.choice import Preference


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; ``paths`` of recordings, none for the simulated person.

    ``max_drop`` is absolute, of the error rate. ``p99_ms`` is of the model's part of a hop,
    ``most_bytes`` of the files that run. ``n_steps`` and ``rate`` are of fine-tuning.
    """

    bundle: Path
    out: Path
    max_drop: float
    paths: tuple[Path, ...] = ()
    p99_ms: float | None = None
    most_bytes: int | None = None
    prefer: Preference = "speed"
    n_walks: int = 6
    n_steps: int | None = None
    rate: float | None = None
    n_texts: int | None = None
    n_blocks: int = 20
    n_windows: int = 200
    is_scratch: bool = False
    cache: Path | None = None
