"""A trained network as the port of the search: several windows at once, on the network's device.

What evaluation uses before there is an exported file; the daemon runs the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.network import State
    from models.seq2seq import Seq2SeqNetwork


class NetworkStepper:
    """A :class:`pipeline.seq2seq.Stepper`; R rows, U utterances, F frames, D width of a memory."""

    def __init__(self, network: Seq2SeqNetwork, *, n_rows: int) -> None:
        self._network = network.eval()
        self._device = next(network.parameters()).device
        self.n_rows = n_rows
        self.n_symbols = network.settings.n_symbols
        self.max_symbols = network.settings.max_symbols
        self._memory = torch.zeros(0)
        self._cache: State = ()

    def encode(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return memories (U, F, D) of ``windows`` (U, T, C)."""
        with torch.inference_mode():
            memory = self._network.encode(torch.from_numpy(windows).to(self._device))  # (U, F, D)
        return memory.cpu().numpy()

    def begin(self, memory: NDArray[np.float32]) -> None:
        """Take the memory of every utterance; see the port."""
        row = np.arange(self.n_rows) // (self.n_rows // len(memory))
        owner = np.minimum(row, len(memory) - 1)  # (R,)
        self._memory = torch.from_numpy(memory[owner]).to(self._device)  # (R, F, D)
        self._cache = tuple(
            tensor.to(self._memory) for tensor in self._network.initial_cache(self.n_rows)
        )

    def step(
        self, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return log-probabilities (R, V) and attention (R, F); see the port."""
        order = torch.from_numpy(parents).to(self._device)  # (R,)
        with torch.inference_mode():
            log_probs, attention, *following = self._network.step(
                torch.from_numpy(tokens).to(self._device),  # (R,)
                torch.tensor([position], device=self._device),
                self._memory,
                *(tensor[order] for tensor in self._cache),
            )
        self._cache = tuple(following)
        return log_probs.float().cpu().numpy(), attention.float().cpu().numpy()
