"""The network itself in torch, one call for each hop: what a runtime is to be compared with.

Its state is carried and no gradients are kept: the fair opponent, not a window done all over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.network import CtcNetwork
from models.network_stepper import NetworkStepper
from models.seq2seq import Seq2SeqNetwork
from tools.compression.hop import N_STEPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.manifest import StepFile
    from models.network import State


class EagerHop:
    """The model's part of a hop by torch; of a sequence-to-sequence network also ``tokens``.

    Args:
        network: in float32.
        tokens: (S, R) symbols that each hop writes, None for none.
    """

    def __init__(self, network: Any, tokens: NDArray[np.int64] | None = None) -> None:
        self._network = network.eval()
        self._state: State = ()
        if isinstance(network, CtcNetwork):
            self._state = network.initial_state()
        self._tokens = tokens
        self._stepper: NetworkStepper | None = None
        if isinstance(network, Seq2SeqNetwork) and tokens is not None:
            self._stepper = NetworkStepper(network, n_rows=tokens.shape[1])
            self._parents = np.arange(tokens.shape[1], dtype=np.int64)

    def run(self, window: NDArray[np.float32]) -> None:
        """Hear one window (n_samples, n_inputs)."""
        if self._stepper is not None and self._tokens is not None:
            self._stepper.begin(self._stepper.encode(window[np.newaxis]))
            for position, tokens in enumerate(self._tokens):
                self._stepper.step(tokens, self._parents, position)
            return
        with torch.inference_mode():
            found = self._network(torch.from_numpy(window)[None], *self._state)  # (1, T, C)
        if self._state:
            self._state = tuple(found[1:])


def eager_hop(network: Any, step: StepFile | None) -> EagerHop:
    """Return the hop of a network in torch that writes as many symbols as that of its bundle."""
    tokens = None if step is None else np.zeros((N_STEPS, step.n_rows), np.int64)
    return EagerHop(network, tokens)
