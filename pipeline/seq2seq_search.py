"""Greedy and beam search through a step decoder, several utterances at once.

Every utterance has a beam of its own and a share of the stepper's rows; nothing passes from one to
the other, so a batch gives what each utterance gives alone. All hypotheses of a beam have the same
length, hence the length penalty orders none of them until they end. The end of every hypothesis is
weighed, not only of those in the beam after it; a beam stops when no open hypothesis can still
outrank what has ended. With a beam as wide as there are hypotheses it is the exhaustive search.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.decoder_ranges import check_search
from pipeline.seq2seq import END, Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.ctc_beam import SymbolModel
    from pipeline.seq2seq import Stepper
    from pipeline.spec import Seq2SeqDecoder

Floats = NDArray[np.float64]
Attention = NDArray[np.float32]
Trace = tuple["Trace", int, float, float, Attention] | None
"""A hypothesis from its end: those before, then symbol, log_p, lm_p and attention ``(n_frames,)``.
"""
Said = tuple["Said", int] | None
"""States of the language model from the newest back, so that a backspace finds the one before."""

NEVER: Final = -math.inf

LOWEST: Final = -100.0
"""Log-probabilities below count as this, and what is no number too: the end is always possible."""

UNSEEN: Final = 1e-6
"""Attention of a frame that nothing attends to, for the coverage penalty: its ln is finite."""


class Seq2SeqSearch:
    """Hypotheses of highest ``rank`` for given memories.

    ``score = model_score + lm_weight * lm_score + length_bonus * n_symbols``, and
    ``rank = score / ((5 + n_symbols) / 6) ** length_alpha + coverage_beta * coverage``
    (Wu et al. 2016, equation 14), where symbols are those after the prefix. Greedy takes the most
    probable symbol and knows no language model. A hypothesis more than ``margin`` nats below the
    best one that has ended is given up.
    """

    def __init__(
        self,
        stepper: Stepper,
        settings: Seq2SeqDecoder,
        *,
        lm: SymbolModel | None = None,
        backspace: int | None = None,
        margin: float = math.inf,
        stopwatch_ns: Callable[[], int] = int,
    ) -> None:
        """Take a stepper that nobody else uses meanwhile.

        Raises:
            ValueError: the search is wider or longer than the stepper.
        """
        check_search(settings, n_rows=stepper.n_rows, max_symbols=stepper.max_symbols)
        self._stepper = stepper
        self._settings = settings
        self._lm = None if settings.method == "greedy" else lm
        self.backspace = backspace
        self._margin = margin
        self._now_ns = stopwatch_ns
        self.n_longest = settings.max_symbols or stepper.max_symbols - 1
        self.step_ns = 0
        self.prefix_frames: list[list[int]] = []
        """Of the last run, the frame attended most for each symbol of each prefix."""

    def run(
        self,
        memory: NDArray[np.float32],
        *,
        prefixes: Sequence[Sequence[int]] | None = None,
        lm_states: Sequence[Sequence[int]] | None = None,
        ends_sentence: bool = False,
    ) -> list[list[Found]]:
        """Return the hypotheses of each utterance, best first: at least one, at most the beam.

        Args:
            memory: ``(n_utterances, n_frames, n_features)``.
            prefixes: what the hypotheses of each utterance begin with; not in their scores.
            lm_states: the language model's states after what was said before, the newest last.
            ends_sentence: whether the language model weighs the end too.

        Raises:
            ValueError: more utterances than rows, or a prefix longer than a hypothesis may be.
        """
        n = len(memory)
        width = 1 if self._settings.method == "greedy" else self._settings.beam
        n_share = self._stepper.n_rows // n
        if width > n_share:
            raise ValueError(
                f"memory: got {n} utterances, {self._stepper.n_rows} rows hold at most "
                f"{self._stepper.n_rows // width} with a beam of {width}"
            )
        beams = [
            _Beam(
                self._settings,
                prefix=tuple(prefixes[k]) if prefixes else (),
                n_frames=memory.shape[1],
                n_longest=self.n_longest,
                lm=self._lm,
                lm_states=lm_states[k] if lm_states else (),
                backspace=self.backspace,
                margin=self._margin,
                ends_sentence=ends_sentence,
            )
            for k in range(n)
        ]
        self._step_all(beams, memory, n_share)
        self.prefix_frames = [beam.prefix_frames for beam in beams]
        return [beam.found() for beam in beams]

    def _step_all(self, beams: list[_Beam], memory: NDArray[np.float32], n_share: int) -> None:
        stepper = self._stepper
        tokens = np.full(stepper.n_rows, END, np.int64)
        parents = np.arange(stepper.n_rows, dtype=np.int64)
        began_ns = self._now_ns()
        stepper.begin(memory)
        self.step_ns = self._now_ns() - began_ns
        for position in range(stepper.max_symbols):
            began_ns = self._now_ns()
            log_probs, attention = stepper.step(tokens, parents, position)
            self.step_ns += self._now_ns() - began_ns
            for k, beam in enumerate(beams):
                rows = slice(k * n_share, k * n_share + n_share)
                if not beam.is_done:
                    beam.take(log_probs[rows], attention[rows])
                    tokens[rows] = END
                    parents[rows] = k * n_share
                    tokens[rows][: len(beam.tokens)] = beam.tokens
                    parents[rows][: len(beam.parents)] += beam.parents
            if all(beam.is_done for beam in beams):
                return


class _Beam:
    """One utterance's open hypotheses, best first, each in the row of its index; those ended."""

    def __init__(
        self,
        settings: Seq2SeqDecoder,
        *,
        prefix: tuple[int, ...],
        n_frames: int,
        n_longest: int,
        lm: SymbolModel | None,
        lm_states: Sequence[int],
        backspace: int | None,
        margin: float,
        ends_sentence: bool,
    ) -> None:
        if len(prefix) > n_longest:
            raise ValueError(f"prefix: got {len(prefix)} symbols, wanted at most {n_longest}")
        self._settings = settings
        self._forced = list(reversed(prefix))
        self._n_least = settings.min_symbols - len(prefix)
        self._n_most = n_longest - len(prefix)
        self._lm = lm
        self._backspace, self._margin = backspace, margin
        self._ends_sentence = ends_sentence
        self._width = 1 if settings.method == "greedy" else settings.beam
        self._n_symbols = 0
        self._scores = np.zeros(1)
        self._traces: list[Trace] = [None]
        self._said = [_read_states(lm_states or ((lm.start,) if lm else ()))]
        self._coverage = np.zeros((1, n_frames))
        self._ended: list[tuple[float, Found]] = []
        self.tokens: NDArray[np.int64] = np.zeros(0, np.int64)
        self.parents: NDArray[np.int64] = np.zeros(0, np.int64)
        self.is_done = False
        self.prefix_frames: list[int] = []

    def take(self, log_probs: NDArray[np.float32], attention: Attention) -> None:
        """Take the step's results for this beam's rows, and say what the next step is given."""
        n_open = len(self._scores)
        attention = np.fmin(np.fmax(attention[:n_open], 0), 1)  # what is no number is 0
        if self._forced:
            self._coverage += attention
            self.prefix_frames.append(int(attention[0].argmax()))
            self.tokens = np.array([self._forced.pop()])
            self.parents = np.zeros(1, np.int64)
            return
        log_p = np.fmax(log_probs[:n_open].astype(np.float64), LOWEST)
        np.minimum(log_p, 0.0, out=log_p)
        must_end = self._n_symbols >= self._n_most
        may_end = self._n_symbols >= self._n_least or must_end
        if self._settings.method == "greedy":
            must_end = must_end or (may_end and int(log_p[0].argmax()) == END)
            may_end = must_end
        if may_end:
            self._end(log_p, attention)
        if must_end:
            self.is_done = True
            return
        self._extend(log_p, attention)
        self.is_done = self._cannot_improve()

    def found(self) -> list[Found]:
        """Return what has ended, best first."""
        return [found for _, found in self._ended]

    def _end(self, log_p: Floats, attention: Attention) -> None:
        """Let every open hypothesis end here, and keep the best of all that have ended."""
        settings, n = self._settings, self._n_symbols
        for row in range(len(self._scores)):
            lm_end = self._lm_end(row)
            end_log_p = float(log_p[row, END])
            score = float(self._scores[row]) + end_log_p
            score += settings.lm_weight * lm_end if self._ends_sentence else 0.0
            coverage = _coverage(self._coverage[row])
            rank = score / _penalty(n, settings) + settings.coverage_beta * coverage
            if len(self._ended) == self._width and rank <= self._ended[-1][0]:
                continue
            found = _unwind(self._traces[row], attention[row])
            found = replace(
                found,
                rank=rank,
                score=score,
                model_score=sum(found.log_p) + end_log_p,
                lm_score=sum(found.lm_p) + (lm_end if self._ends_sentence else 0.0),
                end_log_p=end_log_p,
                lm_end=lm_end,
                coverage=coverage,
            )
            self._ended.append((rank, found))
            self._ended.sort(key=lambda entry: -entry[0])
            del self._ended[self._width :]

    def _extend(self, log_p: Floats, attention: Attention) -> None:
        """Extend every open hypothesis by every symbol, and keep the best."""
        settings = self._settings
        candidates = self._scores[:, None] + log_p + settings.length_bonus
        lm_p = self._lm_scores(log_p.shape)
        if lm_p is not None:
            candidates += settings.lm_weight * lm_p
        candidates[:, END] = NEVER
        flat = candidates.ravel()
        n_kept = min(self._width, flat.size - len(candidates))
        kept = np.argpartition(-flat, n_kept - 1)[:n_kept]
        kept = kept[np.lexsort((kept, -flat[kept]))]
        kept = kept[flat[kept] >= self._best_ended() - self._margin]
        parents, symbols = np.divmod(kept, log_p.shape[1])
        self._coverage = self._coverage[parents] + attention[parents]
        pairs = list(zip(parents.tolist(), symbols.tolist(), strict=True))
        self._traces = [
            (
                self._traces[parent],
                symbol,
                float(log_p[parent, symbol]),
                float(lm_p[parent, symbol]) if lm_p is not None else 0.0,
                attention[parent],
            )
            for parent, symbol in pairs
        ]
        self._said = [self._advance(self._said[parent], symbol) for parent, symbol in pairs]
        self._scores = flat[kept]
        self._n_symbols += 1
        self.tokens, self.parents = symbols, parents

    def _lm_scores(self, shape: tuple[int, ...]) -> Floats | None:
        if self._lm is None:
            return None
        scores = np.zeros(shape)
        for row, said in enumerate(self._said):
            if said is not None:
                scores[row] = self._lm.scores(said[1])
        return scores

    def _lm_end(self, row: int) -> float:
        said = self._said[row]
        return self._lm.end(said[1]) if self._lm is not None and said is not None else 0.0

    def _advance(self, said: Said, symbol: int) -> Said:
        if self._lm is None or said is None:
            return None
        if symbol == self._backspace:
            return said[0] or said
        return said, self._lm.advance(said[1], symbol)

    def _best_ended(self) -> float:
        return max((found.score for _, found in self._ended), default=NEVER)

    def _cannot_improve(self) -> bool:
        """Say whether no open hypothesis can outrank those ended, however it goes on.

        No symbol scores above 0 but for the length bonus, and coverage takes only away.
        """
        if not len(self._scores):
            return True
        if len(self._ended) < self._width:
            return False
        settings = self._settings
        n_more = self._n_most - self._n_symbols
        most = float(self._scores[0]) + max(settings.length_bonus, 0.0) * n_more
        n = self._n_most if most < 0 else self._n_symbols
        return most / _penalty(n, settings) <= self._ended[-1][0]


def by_end(found: Iterable[Found], settings: Seq2SeqDecoder) -> list[Found]:
    """Return hypotheses as they rank where a sentence ends: the language model's end weighs too."""
    weight = settings.lm_weight
    ended = [
        replace(
            one,
            rank=one.rank + weight * one.lm_end / _penalty(len(one.symbols), settings),
            score=one.score + weight * one.lm_end,
            lm_score=one.lm_score + one.lm_end,
        )
        for one in found
    ]
    return sorted(ended, key=lambda one: -one.rank)


def _penalty(n_symbols: int, settings: Seq2SeqDecoder) -> float:
    """Return the length penalty of Wu et al. (2016)."""
    return float(((5.0 + n_symbols) / 6.0) ** settings.length_alpha)


def _coverage(attention: Floats) -> float:
    """Return the coverage of Wu et al. (2016) from the sum of attention each frame got."""
    return float(np.log(np.clip(attention, UNSEEN, 1.0)).sum())


def _read_states(states: Sequence[int]) -> Said:
    said: Said = None
    for state in states:
        said = said, state
    return said


def _unwind(trace: Trace, end_attention: Attention) -> Found:
    """Return the symbols of a trace in order; what depends on the end is still to be filled in."""
    symbols, log_p, lm_p, attention = [], [], [], [end_attention]
    while trace is not None:
        trace, symbol, p, lm, row = trace
        symbols.append(symbol)
        log_p.append(p)
        lm_p.append(lm)
        attention.append(row)
    return Found(
        symbols=tuple(reversed(symbols)),
        rank=0.0,
        score=0.0,
        model_score=0.0,
        lm_score=0.0,
        log_p=tuple(reversed(log_p)),
        lm_p=tuple(reversed(lm_p)),
        end_log_p=0.0,
        lm_end=0.0,
        coverage=0.0,
        attention=np.stack(attention[::-1]),
    )
