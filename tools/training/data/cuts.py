"""Examples before their samples are there: which part of which recording, and its text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tools.training.data.corpus import Corpus, Recorded

LEAST_REST_S = 3.0
LONGEST_REST_S = 12.0
"""A longer rest is several examples."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Samples ``[start, stop)`` of a recording of the corpus; ``text`` is empty for rest.

    ``rest``: samples of rest at its beginning and at its end; for rest alone each is all of them.
    """

    recording: int
    start: int
    stop: int
    text: str
    subject: str
    session: str
    rest: tuple[int, int]

    @property
    def n_samples(self) -> int:
        """Its length."""
        return self.stop - self.start

    @property
    def text_samples(self) -> int:
        """How many of them mean the text."""
        return self.n_samples - sum(self.rest) if self.text else 0


def cut_corpus(corpus: Corpus, *, margin_s: float) -> tuple[Cut, ...]:
    """Return texts with up to ``margin_s`` of the rest around each, and examples of rest alone.

    No sample is in two of them. Rests are cut into pieces and never more than the texts of their
    recording; where there are more, they are taken evenly from all of it.
    """
    margin = round(margin_s * corpus.rate_hz)
    return tuple(
        cut
        for number, recorded in enumerate(corpus.recordings)
        for cut in (*_texts(number, recorded, margin), *_rests(number, recorded, margin))
    )


def _quiet(recorded: Recorded) -> list[tuple[int, int]]:
    """Return the stretches in which there is no text for sure, in order."""
    is_quiet = np.ones(recorded.n_samples + 2, dtype=np.bool_)
    is_quiet[[0, -1]] = False
    texts = [(span.start, span.stop) for span in recorded.spans]
    for start, stop in (*texts, *recorded.lost):
        is_quiet[1 + max(start, 0) : 1 + min(max(stop, 0), recorded.n_samples)] = False
    edges = np.flatnonzero(np.diff(is_quiet)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _texts(number: int, recorded: Recorded, margin: int) -> list[Cut]:
    """Return each text with its margins: half of a stretch of rest is left to what is beyond."""
    quiet = _quiet(recorded)
    before = {stop: stop - start if start == 0 else (stop - start) // 2 for start, stop in quiet}
    after = {
        start: stop - start if stop == recorded.n_samples else (stop - start) // 2
        for start, stop in quiet
    }
    cuts: list[Cut] = []
    for span in recorded.spans:
        rest = min(margin, before.get(span.start, 0)), min(margin, after.get(span.stop, 0))
        start, stop = span.start - rest[0], span.stop + rest[1]
        who = (recorded.subject, recorded.session)
        cuts.append(Cut(number, start, stop, span.text, *who, rest))
    return cuts


def _rests(number: int, recorded: Recorded, margin: int) -> list[Cut]:
    """Return the stretches that are left, cut and chosen."""
    least = round(LEAST_REST_S * recorded.rate_hz)
    longest = round(LONGEST_REST_S * recorded.rate_hz)
    pieces: list[tuple[int, int]] = []
    for first, last in _quiet(recorded):
        start = first + margin if first else first
        stop = last - margin if last < recorded.n_samples else last
        if stop - start >= least:
            edges = np.linspace(start, stop, -(-(stop - start) // longest) + 1).astype(int).tolist()
            pieces += list(pairwise(edges))
    n_kept = min(len(pieces), len(recorded.spans))
    kept = np.linspace(0, len(pieces) - 1, n_kept).round().astype(int)
    who = (recorded.subject, recorded.session)
    return [
        Cut(number, start, stop, "", *who, (stop - start, stop - start))
        for start, stop in (pieces[k] for k in kept)
    ]
