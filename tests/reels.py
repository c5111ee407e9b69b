"""Recordings of an evaluation, made on the spot and never on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.values import Marker
from tests.bundles import CHANNELS, RATE_HZ
from tests.recordings import noise
from tools.evaluation.passes.reel import Chunk, Item, Reel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.values import Samples


def reel(
    items: Sequence[Item] = (),
    *,
    samples: Samples | None = None,
    markers: Sequence[tuple[int, str]] = (),
    step: int = 50,
    **known: Any,
) -> Reel:
    """Return a recording of the tiny bundles' channels, handed over ``step`` samples at a time."""
    heard = noise(2000) if samples is None else samples
    placed = [Marker(text, at, at) for at, text in markers]
    chunks = tuple(
        Chunk(
            first,
            min(first + step, len(heard)),
            tuple(m for m in placed if first < m.index <= first + step or m.index == first == 0),
            (),
        )
        for first in range(0, len(heard), step)
    )
    given: dict[str, Any] = {
        "path": Path("r.xdf"),
        "name": "r.xdf",
        "subject": "",
        "session": "",
        "content": str(hash(heard.tobytes())),
        "files": frozenset({"0" * 64}),
        "rate_hz": RATE_HZ,
        "marker_names": {},
    }
    return Reel(
        **{**given, **known},
        n_samples=len(heard),
        samples=heard,
        chunks=chunks,
        items=tuple(items),
    )


def silence(n_samples: int) -> Samples:
    """Return samples in which nothing moves."""
    return np.zeros((n_samples, len(CHANNELS)), np.float32)
