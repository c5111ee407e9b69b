"""CTC prefix beam search for words: only what a lexicon pronounces, ranked by a word model.

A hypothesis is a sequence of words and a place: within the next word, a node of the lexicon's tree,
or between words. Where a symbol completes words, it leads on within the tree and also between, once
for every such word (homophones part here), and there the language model is applied, once. If the
vocabulary has a boundary symbol it must come between two words, and may come before, after and
again at will. The probability of a word sequence is summed over its pronunciations, boundaries and
alignments, those that end in blank and in a symbol apart, as in ``pipeline.ctc_beam``.

Within a word the word is not known yet: the hypothesis is ranked as if the most probable word at or
below its node ended there (look-ahead). Merging comes first, pruning after. A frame costs some
hundred numpy calls, however many hypotheses and words there are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.ctc import BLANK, Emission, Scored, n_shared
from pipeline.ctc_greedy import CERTAIN
from pipeline.word_history import WordHistories
from pipeline.word_steps import NEVER, NO_WORD, ROOT, WordSteps

if TYPE_CHECKING:
    from pipeline.lexicon import Lexicon
    from pipeline.word_language_model import WordLanguageModel
    from pipeline.word_steps import Floats, Hypotheses, Ints, Truths

BARELY: Final = -1e-300
"""Logs of a probability above this count as this, so that their complement has a log too."""

MAX_HISTORIES: Final = 4096
"""Word sequences numbered before those that died are forgotten."""


class Words:
    """What can be said, and how probable it is; without a model all is alike.

    ``best_below`` is ln of the highest probability, without context, of a word at or below each
    node of the lexicon, ``(n_nodes,)``; 0 without a model. Any number of searches may share this.
    """

    def __init__(self, lexicon: Lexicon, lm: WordLanguageModel | None = None) -> None:
        self.lexicon, self.lm = lexicon, lm
        if lm is None:
            self.best_below = np.zeros(lexicon.n_nodes)
        else:
            self.best_below = lexicon.best_below(lm.unigrams)


class LexiconBeam:
    """The ``width`` hypotheses of the highest rank; a symbol of the tail is a word of the lexicon.

    ``score = model_score + lm_weight * lm_score + length_bonus * n_words``. A symbol of a frame
    below ``prune_logp`` is not extended with. A hypothesis more than ``margin`` below the best one
    does not hinder agreement.
    """

    def __init__(
        self,
        words: Words,
        *,
        width: int,
        sample: int = 0,
        lm_weight: float = 0.0,
        length_bonus: float = 0.0,
        prune_logp: float = NEVER,
        margin: float = math.inf,
    ) -> None:
        """Start with no word, silent at ``sample``."""
        self._lm = words.lm
        self._width = width
        self._lm_weight, self._length_bonus = lm_weight, length_bonus
        self._margin = margin
        self._steps = WordSteps(words.lexicon, words.lm, prune_logp=prune_logp)
        self._ahead = np.append(lm_weight * words.best_below, 0.0) + length_bonus
        self._ahead[[ROOT, self._steps.ended]] = 0.0  # between words nothing is begun
        self._begin(sample)

    def _begin(self, sample: int) -> None:
        """Know nothing but silence at ``sample``."""
        self._now = self._steps.start(sample)
        self._histories = WordHistories(int(self._now.state[0]))
        self._traces: list[tuple[Emission, ...]] = [()]
        """By hypothesis: its words but the newest, and the newest too once the next has begun."""
        self._best = 0

    def step(self, log_p: Floats, sample: int) -> None:
        """Take the next frame: extend, merge, then keep the best."""
        old = self._now
        n_old = len(old)
        steps = self._steps.next(old, log_p)
        stay, held = old.total + log_p[BLANK], old.symbol + log_p[old.last]
        blank = np.concatenate((stay, np.full(len(steps.key), NEVER)))
        symbol = np.concatenate((held, steps.log_p))
        keys = np.concatenate((old.key, steps.key))
        order = np.lexsort((-np.logaddexp(blank, symbol), keys))
        keys = keys[order]
        starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
        lead = order[starts]  # of the ways into one hypothesis the most probable
        blank = np.logaddexp.reduceat(blank[order], starts)
        symbol = np.logaddexp.reduceat(symbol[order], starts)
        total = np.logaddexp(blank, symbol)
        n_words = np.concatenate((old.n_words, old.n_words[steps.source] + (steps.word >= 0)))
        lm_score = np.concatenate((old.lm_score, old.lm_score[steps.source] + steps.gain))
        node = np.concatenate((old.node, steps.node))
        offset = self._lm_weight * lm_score[lead] + self._length_bonus * n_words[lead]
        rank = total + offset + self._ahead[node[lead]]
        kept = np.flatnonzero(rank > NEVER)
        if len(kept) > self._width:
            kept = kept[np.argpartition(rank[kept], -self._width)[-self._width :]]
        if not len(kept):
            raise ValueError(f"log_p: the frame at sample {sample} leaves no hypothesis possible")
        lead = lead[kept]
        born = np.flatnonzero(lead >= n_old)
        way = lead[born] - n_old
        source = lead.copy()
        source[born] = steps.source[way]
        new = old.take(source)
        new.key, new.node, new.rank = keys[starts[kept]], node[lead], rank[kept]
        new.blank, new.symbol, new.total = blank[kept], symbol[kept], total[kept]
        new.lm_score, new.n_words = lm_score[lead], n_words[lead]
        new.last[born], new.state[born] = steps.last[way], steps.state[way]
        self._place(new, source, born, log_p, sample, held > stay)
        self._name(new, born, steps.word[way])
        self._now = new
        if len(self._histories) > MAX_HISTORIES:
            self._number(*self._histories.without(0, self._now.history.tolist()))
        self._best = self._choose()

    def _place(
        self, new: Hypotheses, source: Ints, born: Ints, log_p: Floats, sample: int, held: Truths
    ) -> None:
        """Write down where the words of new hypotheses lie.

        Args:
            new: with all but that.
            source: the old hypothesis that each comes from.
            born: those that took a step, where the others stayed.
            log_p: the frame.
            sample: its first.
            held: which old hypotheses more probably hold their last symbol than are silent.
        """
        spoken = new.last != self._steps.boundary
        speaks = np.zeros(len(source), np.bool_)
        speaks[born] = spoken[born]
        holds = spoken & held[source]
        holds[born] = False
        begins = speaks & (self._now.node[source] == ROOT)
        miss = np.log(-np.expm1(np.minimum(log_p, CERTAIN)))[new.last]
        emitted = new.log_emitted + _log_complement(new.log_miss)
        new.log_emitted = np.where(begins, 0.0, np.where(speaks, emitted, new.log_emitted))
        new.log_miss = np.where(speaks, miss, new.log_miss + np.where(holds, miss, 0.0))
        new.first = np.where(begins, sample, new.first)
        new.seen = np.where(speaks | holds, sample, new.seen)
        traces = [self._traces[row] for row in source.tolist()]
        for row in np.flatnonzero(begins).tolist():
            traces[row] = self._words_of(int(source[row]))
        self._traces = traces

    def _name(self, new: Hypotheses, born: Ints, word: Ints) -> None:
        """Give those who have just ended a word their new history."""
        ended = born[word != NO_WORD]
        new.before[ended] = new.history[ended]
        new.newest[ended] = word[word != NO_WORD]
        for row in ended.tolist():
            new.history[row] = self._histories.longer(
                int(new.before[row]),
                int(new.newest[row]),
                float(new.lm_score[row]),
                int(new.state[row]),
            )

    def _choose(self) -> int:
        """Return the best hypothesis; where a word may be over or go on, as if it were over."""
        now, steps = self._now, self._steps
        best = int(now.rank.argmax())
        node = int(now.node[best])
        if node in (ROOT, steps.ended):
            return best
        words = steps.words_at(node)
        if not len(words):
            return best
        same = (now.before == now.history[best]) & (now.last == now.last[best])
        rows = np.flatnonzero(same & steps.is_between(now.node) & np.isin(now.newest, words))
        return int(rows[now.rank[rows].argmax()]) if len(rows) else best

    def _words_of(self, row: int) -> tuple[Emission, ...]:
        """Return the whole words of a hypothesis with their places."""
        now, trace = self._now, self._traces[row]
        if len(trace) == int(now.n_words[row]):
            return trace
        log_emitted = now.log_emitted[row] + _log_complement(now.log_miss[row])
        newest = Emission(
            int(now.newest[row]),
            int(now.first[row]),
            int(now.seen[row]),
            float(_log_complement(log_emitted)),
        )
        return (*trace, newest)

    @property
    def tail(self) -> tuple[int, ...]:
        """The words of the best hypothesis."""
        return self._histories.words[int(self._now.history[self._best])]

    @property
    def is_open(self) -> bool:
        """Whether the best hypothesis holds a word, or the beginning of one."""
        return bool(self.tail) or not self._between()[self._best]

    @property
    def last_seen(self) -> int:
        """First sample of the last frame in which the best hypothesis emits a word's symbol."""
        return int(self._now.seen[self._best])

    def emissions(self) -> list[Emission]:
        """Return the words of the best hypothesis with their places."""
        return list(self._words_of(self._best))

    def n_agreed(self) -> int:
        """Return how many words of the best hypothesis all survivors within the margin share."""
        rank = self._now.rank
        near = np.flatnonzero(rank >= rank[self._best] - self._margin)
        tails = [self._histories.words[k] for k in set(self._now.history[near].tolist())]
        return n_shared(tails)

    def share(self, n_symbols: int) -> float:
        """Return the share of probability that begins with that much of the best hypothesis."""
        weights = np.exp(self._now.rank - self._now.rank[self._best])
        return float(weights[self._agreeing(n_symbols)].sum() / weights.sum())

    def best(self, n_best: int) -> list[Scored]:
        """Return the best word sequences, best first; what each may yet become counts for it."""
        now = self._now
        alive = np.flatnonzero(now.rank > NEVER)
        histories = now.history[alive]
        order = np.argsort(histories, kind="stable")
        alive = alive[order]
        starts = np.flatnonzero(np.diff(histories[order], prepend=-1))
        ranks = np.logaddexp.reduceat(now.rank[alive], starts)
        ranks[histories[order][starts] == now.history[self._best]] = math.inf
        totals = np.logaddexp.reduceat(now.total[alive], starts)
        found = np.argsort(-ranks, kind="stable")[:n_best].tolist()
        return [self._scored(int(alive[starts[k]]), float(totals[k])) for k in found]

    def _scored(self, row: int, model_score: float) -> Scored:
        words = self._histories.words[self._now.history[row]]
        lm_score = float(self._now.lm_score[row])
        offset = self._lm_weight * lm_score + self._length_bonus * len(words)
        return Scored(words, model_score + offset, model_score, lm_score)

    def commit(self, n_symbols: int) -> None:
        """Take that many words of the best hypothesis for true: others die, survivors lose them."""
        self._keep(self._agreeing(n_symbols))
        self._traces = [trace[n_symbols:] for trace in self._traces]
        self._number(*self._histories.without(n_symbols, self._now.history.tolist()))

    def end(self, *, quiet_since: int) -> None:
        """Make the words that end best the best ones, of those silent after ``quiet_since``.

        Who is within a word cannot end, and is out if anybody can.
        """
        now = self._now
        between = self._between()
        if self._lm is not None:
            ends = np.where(between, self._lm.ends(now.state), 0.0)
            now.lm_score = now.lm_score + ends
            now.rank = now.rank + self._lm_weight * ends
        able = np.flatnonzero(between & (now.seen <= quiet_since))
        if not len(able):
            return
        now.rank = np.where(between, now.rank, NEVER)
        sums: dict[int, float] = {}
        for row in able.tolist():
            history = int(now.history[row])
            sums[history] = float(np.logaddexp(sums.get(history, NEVER), now.rank[row]))
        best = max(sums, key=sums.__getitem__)
        self._best = max(able[now.history[able] == best].tolist(), key=now.rank.__getitem__)

    def restart(self, *, quiet_since: int) -> None:
        """Begin a new sentence; words that began before ``quiet_since`` die.

        The silence parts words as a boundary does.
        """
        now = self._now
        between = self._between()
        silent = between & (now.n_words == 0)
        firsts = zip(self._traces, now.first.tolist(), strict=True)
        began = [trace[0].first if trace else first for trace, first in firsts]
        rows = np.flatnonzero(silent | (np.array(began) >= quiet_since))
        if not len(rows):
            self._begin(int(now.seen[self._best]))
            return
        self._keep(rows)
        now = self._now
        now.node = np.where(self._between() & (now.n_words == 0), ROOT, now.node)
        self._number(*self._histories.anew(now.history.tolist(), self._lm))

    def _between(self) -> Truths:
        return self._steps.is_between(self._now.node)

    def _agreeing(self, n_symbols: int) -> Ints:
        start = self.tail[:n_symbols]
        words = self._histories.words
        return np.array(
            [
                row
                for row, history in enumerate(self._now.history.tolist())
                if words[history][:n_symbols] == start
            ]
        )

    def _keep(self, rows: Ints) -> None:
        """Let only these live, with probability one in total."""
        self._now = self._now.take(rows)
        self._traces = [self._traces[row] for row in rows.tolist()]
        total = np.logaddexp.reduce(self._now.total)
        for logs in (self._now.blank, self._now.symbol, self._now.total):
            logs -= total

    def _number(self, histories: WordHistories, numbers: dict[int, int]) -> None:
        """Take the words of each hypothesis by their new numbers, and score it anew."""
        now = self._now
        now.history = np.array([numbers[k] for k in now.history.tolist()])
        self._histories = histories
        now.before = np.array([histories.before(k) for k in now.history.tolist()])
        now.n_words = np.array([len(histories.words[k]) for k in now.history.tolist()])
        now.state = np.array([histories.state[k] for k in now.history.tolist()])
        now.lm_score = np.array([histories.lm_score[k] for k in now.history.tolist()])
        now.key = self._steps.keys(now)
        offset = self._lm_weight * now.lm_score + self._length_bonus * now.n_words
        now.rank = now.total + offset + self._ahead[now.node]
        self._best = self._choose()


def _log_complement(log_p: Floats) -> Floats:
    """Return ln(1 - p)."""
    return np.log(-np.expm1(np.minimum(log_p, BARELY)))
