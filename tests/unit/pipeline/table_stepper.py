"""A step decoder that looks everything up: random tables over whole histories, for searches."""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

N_FRAMES = 5


@cache
def table(
    seed: int, history: tuple[int, ...], n_symbols: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log-probabilities ``(n_symbols,)`` and attention ``(N_FRAMES,)`` after a history."""
    key = zlib.crc32(repr((seed, history)).encode())
    rng = np.random.default_rng(key)
    logits = 2.0 * rng.standard_normal(n_symbols)
    heat = np.exp(3.0 * rng.standard_normal(N_FRAMES))
    log_p = (logits - np.logaddexp.reduce(logits)).astype(np.float32)
    return log_p.astype(np.float64), (heat / heat.sum()).astype(np.float32).astype(np.float64)


def memory(*seeds: int) -> NDArray[np.float32]:
    """Return memories ``(n_utterances, N_FRAMES, 1)`` that name the tables to use."""
    return np.broadcast_to(
        np.array(seeds, dtype=np.float32)[:, None, None], (len(seeds), N_FRAMES, 1)
    ).copy()


class TableStepper:
    """A stepper whose cache is the history itself."""

    def __init__(self, *, n_rows: int, n_symbols: int, max_symbols: int) -> None:
        self.n_rows, self.n_symbols, self.max_symbols = n_rows, n_symbols, max_symbols
        self.n_steps = 0
        self._histories: list[tuple[int, ...]] = []
        self._seeds: list[int] = []

    def begin(self, memory: NDArray[np.float32]) -> None:
        """Take as many utterances as the rows hold."""
        self.n_steps = 0
        n_share = self.n_rows // len(memory)
        self._seeds = [int(row[0, 0]) for row in memory for _ in range(n_share)]
        self._seeds += [0] * (self.n_rows - len(self._seeds))
        self._histories = [()] * self.n_rows

    def step(
        self, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Look up every row's history."""
        assert position == self.n_steps < self.max_symbols
        assert len(tokens) == len(parents) == self.n_rows
        self.n_steps += 1
        if position:
            taken = zip(parents.tolist(), tokens.tolist(), strict=True)
            self._histories = [(*self._histories[p], t) for p, t in taken]
        else:
            assert not tokens.any()
        found = [
            table(seed, history, self.n_symbols)
            for seed, history in zip(self._seeds, self._histories, strict=True)
        ]
        log_p, attention = zip(*found, strict=True)
        return np.stack(log_p).astype(np.float32), np.stack(attention).astype(np.float32)
