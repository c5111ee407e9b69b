"""The commit rule: from hypotheses that change with every frame to text that never retracts.

A prefix is committed when all surviving hypotheses begin with it and its last symbol is older than
the stability time; at an endpoint, after silence, the rest is. Commits cut the hypotheses from
their start, and silence clears them, so state stays small for ever. Everything is decided frame by
frame: how the frames were chunked cannot matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.ctc import BLANK, Emission, Search
from pipeline.ctc_beam import PrefixBeam
from pipeline.ctc_greedy import GreedySearch
from pipeline.ctc_lexicon import LexiconBeam
from pipeline.tail_text import BACKSPACE, is_action, read_tail, split_at_actions
from pipeline.units import seconds_to_samples
from pipeline.values import Event, Figure, Hypothesis, Output, Text

if TYPE_CHECKING:
    from pipeline.ctc_lexicon import Words
    from pipeline.language_model import LanguageModel
    from pipeline.spec import CtcDecoder

AGREE_MARGIN: Final = 3.0
"""Nats below the best hypothesis within which another one survives and hinders a commit.

Were all of the beam to agree, text would be final seconds later, the later the wider the beam, and
no more often right.
"""

PATIENCE: Final = 8
"""Further symbols after which the best hypothesis is followed, agreed or not.

Once rivals are in the same state of the language model they score alike, and waiting tells nothing.
"""

WORD_PATIENCE: Final = 2
"""The same, where symbols are words: trigrams know no more than two of them."""

LONGEST_WORD: Final = 64
"""Symbols after which a word is committed in parts."""

LOWEST: Final = -100.0
"""Log-probabilities below count as this, so that no frame can extinguish every hypothesis."""

FOR_EVER: Final = 2**62


class CtcStream:
    """Frames of log-probabilities in; partials, finals and abstentions out.

    The raw confidence of a piece is the share of its hypotheses in the beam's probability, times
    the probability that each of its symbols was emitted: for a symbol with frame probabilities p,
    one minus the product of 1 - p over its frames. It rises with every frame that supports the
    piece.
    """

    def __init__(
        self,
        settings: CtcDecoder,
        vocabulary: Sequence[str],
        lm: LanguageModel | None,
        *,
        frame_samples: int,
        rate_hz: float,
        words: Words | None = None,
    ) -> None:
        """Take the vocabulary of the model's output; its first symbol is the blank ``""``.

        With the method ``lexicon`` texts are made of ``words``, else of the vocabulary and ``lm``.

        Raises:
            ValueError: the vocabulary has no blank, a time is not a whole number of samples, or
                words are wanted and there are none.
        """
        if not vocabulary or vocabulary[BLANK] != "":
            raise ValueError(f"vocabulary: got {vocabulary[:1]}, expected the blank '' first")
        self._settings = settings
        self._n_symbols = len(vocabulary)
        self._vocabulary = tuple(vocabulary)
        self._lm = lm
        self._words: Words | None = None
        self._patience = PATIENCE
        if settings.method == "lexicon":
            if words is None:
                raise ValueError("decoder.method: got lexicon, and no words beside it")
            self._words = words
            self._vocabulary = words.lexicon.texts
            self._patience = WORD_PATIENCE
        self._frame_samples = frame_samples
        self._stability = seconds_to_samples(
            settings.stability_s, rate_hz=rate_hz, where="decoder.stability_s"
        )
        self._endpoint = seconds_to_samples(
            settings.endpoint_s, rate_hz=rate_hz, where="decoder.endpoint_s"
        )
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if new."""
        self._search: Search | None = None
        self._shown: tuple[int, ...] = ()
        self._restarted = 0
        self._final_from = 0
        self._next = 0
        self._tainted: list[tuple[int, int]] = []

    def push(
        self, log_probs: NDArray[np.float32], *, first_sample: int, tainted: bool = False
    ) -> list[Output]:
        """Take ``(n_frames, n_symbols)`` consecutive frames, the first one from ``first_sample``.

        A frame that is not a number, or impossible throughout, counts as blank and tainted.

        Raises:
            ValueError: the frames do not fit the vocabulary, or begin before the last ones end.
        """
        if log_probs.ndim != 2 or log_probs.shape[1] != self._n_symbols:
            wanted = f"(n_frames, {self._n_symbols})"
            raise ValueError(f"log_probs: got shape {log_probs.shape}, expected {wanted}")
        if first_sample < self._next:
            raise ValueError(f"first_sample: got {first_sample}, expected {self._next} or later")
        frames = log_probs.astype(np.float64, order="C")
        broken = ~np.isfinite(frames.max(axis=1))
        frames[broken] = LOWEST
        frames[broken, BLANK] = 0.0
        np.maximum(frames, LOWEST, out=frames)
        out: list[Output] = []
        for frame, is_broken in zip(frames, broken.tolist(), strict=True):
            if tainted or is_broken:
                self._taint(first_sample)
            self._take(frame, first_sample, out)
            first_sample += self._frame_samples
        return out

    def finish(self) -> list[Output]:
        """Commit the rest, as at an endpoint; later frames begin a new sentence."""
        out: list[Output] = []
        if self._search is not None:
            self._end(self._search, FOR_EVER, out)
            self._show(self._search.tail, out)
        return out

    def partial(self) -> Text:
        """Return the uncommitted tail as it is now, changed or not."""
        if self._search is None:
            return Text("partial", "", (), (self._next, self._next))
        search = self._search
        emissions = search.emissions()
        symbols = tuple(self._vocabulary[e.symbol] for e in emissions)
        delete, text = read_tail(symbols)
        span = self._span(emissions)
        confidence = search.share(len(emissions)) * _emitted(emissions) if emissions else None
        tainted = self._is_tainted(span)
        nbest = self._n_best(search)
        return Text("partial", text, symbols, span, nbest, confidence, delete, tainted)

    def _take(self, frame: NDArray[np.float64], sample: int, out: list[Output]) -> None:
        if self._search is None:
            self._search = self._begin(sample)
            self._restarted = sample
        search = self._search
        search.step(frame, sample)
        self._next = sample + self._frame_samples
        if search.is_open:
            if sample - search.last_seen >= self._endpoint:
                self._end(search, sample - min(self._stability, self._endpoint), out)
            else:
                self._commit_stable(search, sample, out)
        elif sample - max(search.last_seen, self._restarted) >= self._endpoint:
            self._restart(search, sample - min(self._stability, self._endpoint))
        self._show(search.tail, out)

    def _begin(self, sample: int) -> Search:
        settings = self._settings
        if self._words is not None:
            return LexiconBeam(
                self._words,
                width=settings.beam,
                sample=sample,
                lm_weight=settings.lm_weight,
                length_bonus=settings.length_bonus,
                prune_logp=settings.prune_logp,
                margin=AGREE_MARGIN,
            )
        if settings.method == "greedy" or (settings.beam == 1 and self._lm is None):
            return GreedySearch(sample=sample)
        erases = BACKSPACE in self._vocabulary
        return PrefixBeam(
            len(self._vocabulary),
            width=settings.beam,
            sample=sample,
            lm=self._lm,
            lm_weight=settings.lm_weight,
            length_bonus=settings.length_bonus,
            prune_logp=settings.prune_logp,
            margin=AGREE_MARGIN,
            backspace=self._vocabulary.index(BACKSPACE) if erases else None,
        )

    def _commit_stable(self, search: Search, sample: int, out: list[Output]) -> None:
        emissions = search.emissions()
        n_symbols = len(emissions)
        n_stable = sum(e.last <= sample - self._stability for e in emissions)
        if not n_stable:
            return
        n_commit = min(n_stable, max(search.n_agreed(), n_symbols - self._patience))
        if self._settings.commit_words:
            n_words = self._whole_words(emissions[:n_commit])
            n_commit = max(n_words, min(n_stable, n_symbols - LONGEST_WORD))
        if n_commit:
            self._commit(search, n_commit, out)

    def _whole_words(self, emissions: list[Emission]) -> int:
        """Return how many symbols remain when the last, open word is left out."""
        for n_symbols in range(len(emissions), 0, -1):
            symbol = self._vocabulary[emissions[n_symbols - 1].symbol]
            if symbol.endswith(" ") or is_action(symbol):
                return n_symbols
        return 0

    def _end(self, search: Search, quiet_since: int, out: list[Output]) -> None:
        """Commit all that was said before the silence, and begin a new sentence."""
        if search.is_open:
            search.end(quiet_since=quiet_since)
            if search.tail:
                self._commit(search, len(search.tail), out)
        self._restart(search, quiet_since)

    def _restart(self, search: Search, quiet_since: int) -> None:
        search.restart(quiet_since=quiet_since)
        self._restarted = self._next - self._frame_samples
        self._forget_taints(quiet_since)

    def _commit(self, search: Search, n_symbols: int, out: list[Output]) -> None:
        """Turn the start of the best hypothesis into finals; an action is one of its own."""
        share = search.share(n_symbols)
        nbest = self._n_best(search)
        emissions = search.emissions()[:n_symbols]
        pieces = split_at_actions(emissions, self._vocabulary)
        out.extend(self._final(piece, share, nbest) for piece in pieces)
        search.commit(n_symbols)
        self._forget_taints(emissions[0].first)

    def _final(
        self, piece: list[Emission], share: float, nbest: tuple[Hypothesis, ...]
    ) -> Text | Event:
        symbols = tuple(self._vocabulary[e.symbol] for e in piece)
        delete, text = read_tail(symbols)
        span = self._span(piece)
        self._final_from = span[0]
        confidence = share * _emitted(piece)
        if confidence < self._settings.abstain_below:
            figures: dict[str, Figure] = {"reason": "unsure", "text": text, "delete": delete}
            figures |= {"confidence": confidence, "start": span[0]}
            return Event("abstained", span[1], self._next, figures)
        tainted = self._is_tainted(span)
        return Text("final", text, symbols, span, nbest, confidence, delete, tainted)

    def _show(self, tail: tuple[int, ...], out: list[Output]) -> None:
        """Publish the tail if it is not what was published last."""
        if tail != self._shown:
            self._shown = tail
            out.append(self.partial())

    def _n_best(self, search: Search) -> tuple[Hypothesis, ...]:
        return tuple(
            Hypothesis(
                read_tail(self._vocabulary[symbol] for symbol in scored.tail)[1],
                scored.score,
                scored.model_score,
                scored.lm_score,
            )
            for scored in search.best(self._settings.n_best)
        )

    def _span(self, piece: list[Emission]) -> tuple[int, int]:
        """Return where a piece lies, never before the last final, however its rivals placed it."""
        if not piece:
            return self._next, self._next
        start = max(piece[0].first, self._final_from)
        return start, max(piece[-1].last, start) + self._frame_samples

    def _taint(self, sample: int) -> None:
        stop = sample + self._frame_samples
        if self._tainted and self._tainted[-1][1] == sample:
            self._tainted[-1] = (self._tainted[-1][0], stop)
        else:
            self._tainted.append((sample, stop))

    def _is_tainted(self, span: tuple[int, int]) -> bool:
        return any(start < span[1] and span[0] < stop for start, stop in self._tainted)

    def _forget_taints(self, before: int) -> None:
        self._tainted = [run for run in self._tainted if run[1] > before]


def _emitted(piece: list[Emission]) -> float:
    """Return the probability that every symbol of the piece was emitted in one of its frames."""
    return math.prod(-math.expm1(min(e.log_miss, 0.0)) for e in piece)
