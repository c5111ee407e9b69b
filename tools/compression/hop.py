"""The model's own part of a hop, as a call: of the file, and of some steps where it writes so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.golden import draw_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.engine import Engine

N_STEPS = 12
"""Symbols that a hop of a sequence-to-sequence network writes while it is timed."""


class Hop:
    """Takes windows; ``n_steps`` symbols are written after each, of a network that writes."""

    def __init__(self, engine: Engine, *, n_steps: int = N_STEPS) -> None:
        self._model = engine.model()
        self._stepper = engine.stepper()
        if self._stepper is not None:
            self._tokens = draw_tokens(self._stepper, n=1, n_steps=n_steps)[0]  # (S, R)
            self._parents = np.arange(self._stepper.n_rows, dtype=np.int64)

    def run(self, window: NDArray[np.float32]) -> None:
        """Take one window (n_samples, n_inputs)."""
        found = self._model.run(window)
        if self._stepper is None:
            return
        self._stepper.begin(found[np.newaxis])
        for position, tokens in enumerate(self._tokens):
            self._stepper.step(tokens, self._parents, position)
