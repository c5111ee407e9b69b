"""How often backends of one bundle have the same best symbol, and how often a constant would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.golden import draw_tokens, run_steps, run_windows
from tools.benchmarking.results import Agreement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tools.benchmarking.backends import Opened

N_WRITTEN, N_STEPS = 24, 12
"""Windows of a network that writes, and how many symbols each writes: given ones, the same for all.
"""


def best_symbols(opened: Opened, windows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the number of the best symbol of every output of ``windows``, from a fresh state.

    Where there is but one score, of a stimulus, it is whether it speaks for its symbols.
    """
    if opened.stepper is None:
        outputs = run_windows(opened.model, windows)  # (n, n_rows, n_columns)
    else:
        memories = run_windows(opened.model, windows[:N_WRITTEN])
        tokens = draw_tokens(opened.stepper, n=len(memories), n_steps=N_STEPS)
        outputs = run_steps(opened.stepper, memories, tokens).log_probs  # (n, S, R, V)
    if outputs.shape[-1] == 1:
        return (outputs > 0.0).astype(np.int64).ravel()
    return np.asarray(outputs.argmax(axis=-1), dtype=np.int64).ravel()


def agreement(best: NDArray[np.int64], own: NDArray[np.int64]) -> Agreement:
    """Return how often ``best`` is what the bundle itself finds best."""
    return Agreement(
        estimate=float(np.mean(best == own)),
        constant=float(np.bincount(own).max() / len(own)),
        n_outputs=len(own),
    )
