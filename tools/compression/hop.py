"""The model's own part of a hop: a call, and some steps where it writes symbol by symbol.

Little is imported: the memory of a process that runs this is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.golden import draw_tokens
from models.onnx_backend import OnnxModel, open_session
from models.onnx_seq2seq import OnnxStepper, open_step_session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.model import Model
    from pipeline.seq2seq import Stepper

N_STEPS = 12
"""Symbols that a hop writes while it is timed."""


class Hop:
    """Hears one window a call.

    Args:
        model: gives scores, or an encoder's memory.
        stepper: writes from that memory; None for a network that does not.
        n_steps: symbols that it writes in a hop.
    """

    def __init__(
        self, model: Model, stepper: Stepper | None = None, *, n_steps: int = N_STEPS
    ) -> None:
        self._model, self._stepper = model, stepper
        if stepper is not None:
            self._tokens = draw_tokens(stepper, n=1, n_steps=n_steps)[0]  # (S, R)
            self._parents = np.arange(stepper.n_rows, dtype=np.int64)

    def run(self, window: NDArray[np.float32]) -> None:
        """Hear one window (n_samples, n_inputs)."""
        found = self._model.run(window)
        if self._stepper is None:
            return
        self._stepper.begin(found[np.newaxis])
        for position, tokens in enumerate(self._tokens):
            self._stepper.step(tokens, self._parents, position)


def hop_of(bundle: Bundle) -> Hop:
    """Return the hop of a bundle in sessions of its own, as the daemon opens them.

    Raises:
        BundleError: ONNX Runtime refuses a file.
    """
    manifest = bundle.manifest
    model = OnnxModel(open_session(bundle), manifest.model)
    if manifest.step is None:
        return Hop(model)
    return Hop(model, OnnxStepper(open_step_session(bundle), manifest.step, manifest.model))
