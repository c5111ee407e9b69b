"""What a search through a sequence-to-sequence model asks for and gives, whichever way it goes.

The encoder turns a window into a *memory* of frames; the step decoder is given the last symbol of
a hypothesis and gives log-probabilities of the next, and how it attended to the frames meanwhile.
Symbol 0 is both the start and the end: what a hypothesis begins after and what finishes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

END = 0


class Stepper(Protocol):
    """A step decoder with its cache, ``n_rows`` hypotheses at a time.

    With several utterances the rows are shared out evenly, utterance by utterance.
    """

    @property
    def n_rows(self) -> int:
        """Hypotheses a step takes."""

    @property
    def n_symbols(self) -> int:
        """Symbols, the end included."""

    @property
    def max_symbols(self) -> int:
        """Steps after :meth:`begin`: the longest hypothesis with its end."""

    def begin(self, memory: NDArray[np.float32]) -> None:
        """Take the memory ``(n_utterances, n_frames, n_features)``, copied; forget the cache."""

    def step(
        self, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return log-probabilities ``(n_rows, n_symbols)`` and attention ``(n_rows, n_frames)``.

        ``tokens[r]`` follows what row ``parents[r]`` held after the step before, so row ``r`` takes
        over that row's cache; at position 0 all tokens are the start. Both results belong to the
        stepper and are valid until the next call.
        """


@dataclass(frozen=True, slots=True)
class Found:
    """A whole hypothesis after its prefix, natural logs.

    ``log_p`` and ``lm_p`` are the model's and the language model's, one a symbol; ``end_log_p`` is
    the model's for the end, which ``model_score`` includes. ``lm_end`` is the language model's for
    the end of a sentence; ``lm_score`` includes it only where the search was told so. ``attention``
    has a row for each symbol and one for the end, ``(n_symbols + 1, n_frames)``. ``coverage`` is
    the sum over the frames of ln of the attention they got from prefix and symbols, 1 at most.
    ``rank`` is what hypotheses are ordered by.
    """

    symbols: tuple[int, ...]
    rank: float
    score: float
    model_score: float
    lm_score: float
    log_p: tuple[float, ...]
    lm_p: tuple[float, ...]
    end_log_p: float
    lm_end: float
    coverage: float
    attention: NDArray[np.float32]
