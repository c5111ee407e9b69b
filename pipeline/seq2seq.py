"""What a search through a sequence-to-sequence model asks for and gives, whichever way it goes.

The encoder turns a window into a *memory* of frames; the step decoder is given the last symbol of
a hypothesis and gives log-probabilities of the next, and how it attended to the frames meanwhile.
Symbol 0 is both the start and the end: what a hypothesis begins after and what finishes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.spec import Seq2SeqDecoder

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

    def after(self, n_symbols: int, settings: Seq2SeqDecoder) -> Found:
        """Return the hypothesis without its first symbols, now committed; ``rank`` stays."""
        lm_start = sum(self.lm_p[:n_symbols])
        start = sum(self.log_p[:n_symbols]) + settings.lm_weight * lm_start
        return replace(
            self,
            symbols=self.symbols[n_symbols:],
            score=self.score - start - settings.length_bonus * n_symbols,
            model_score=sum(self.log_p[n_symbols:]) + self.end_log_p,
            lm_score=self.lm_score - lm_start,
            log_p=self.log_p[n_symbols:],
            lm_p=self.lm_p[n_symbols:],
            attention=self.attention[n_symbols:],
        )


def share(found: Sequence[Found], symbols: tuple[int, ...]) -> float:
    """Return the share of the hypotheses, by their scores, that begin with these symbols."""
    best = max((one.score for one in found), default=0.0)
    weights = [math.exp(one.score - best) for one in found]
    begun = [one.symbols[: len(symbols)] == symbols for one in found]
    total = math.fsum(weights)
    return math.fsum(w for w, b in zip(weights, begun, strict=True) if b) / total if total else 0.0
