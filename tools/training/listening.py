"""One session through a bundle's own chain, a hop at a time: what became final, and when.

Time is the stream's: a final is emitted when the samples up to then were in, however long the
computing took.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.spec import SlidingWindow
from pipeline.values import Text
from tools.training.transcribe import transcript_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.values import Samples
    from runtime.engine import Engine


@dataclass(frozen=True, slots=True)
class Listening:
    """What a session gave.

    ``pieces`` are its finals and ``emitted`` how many samples were in when each came. ``n_taken``
    counts symbols that were shown, as final or not, and then replaced or removed.
    """

    pieces: tuple[Text, ...]
    emitted: tuple[int, ...]
    n_taken: int
    n_samples: int

    @property
    def transcript(self) -> str:
        """The text that the finals leave."""
        return transcript_of(self.pieces)

    @property
    def n_symbols(self) -> int:
        """How many characters became final, those that a later final deleted included."""
        return sum(len(piece.text) for piece in self.pieces)

    def character_emitted(self) -> NDArray[np.int64]:
        """Return when each character of the transcript became final, in samples."""
        when: list[int] = []
        for piece, emitted in zip(self.pieces, self.emitted, strict=True):
            when = when[: len(when) - piece.delete] + [emitted] * len(piece.text)
        return np.array(when, dtype=np.int64)


def listen(engine: Engine, samples: Samples) -> Listening:
    """Hear raw ``samples`` (n_samples, n_channels) from a fresh state to the end."""
    chain = engine.chain()
    window = engine.spec.window
    hop = window.hop_samples if isinstance(window, SlidingWindow) else len(samples) or 1
    pieces: list[Text] = []
    emitted: list[int] = []
    shown, n_taken = "", 0
    transcript, tail = "", ""
    starts = range(0, len(samples), hop)
    for start in (*starts, None):
        outputs = chain.finish() if start is None else chain.push(samples[start : start + hop])
        for output in outputs:
            if not isinstance(output, Text):
                continue
            if output.kind == "final":
                pieces.append(output)
                emitted.append(chain.n_samples)
                transcript = transcript[: len(transcript) - output.delete] + output.text
            else:
                tail = output.text
        now = transcript + tail
        n_taken += len(shown) - _n_common(shown, now)
        shown = now
    return Listening(tuple(pieces), tuple(emitted), n_taken, len(samples))


def _n_common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many first characters two texts share."""
    n_both = min(len(one), len(other))
    return next((k for k in range(n_both) if one[k] != other[k]), n_both)
