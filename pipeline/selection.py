"""One symbol a trial, from evidence summed over its stimulus windows.

Invariant: what is decided is a function of ``(marker, index, known_at)`` and the scores alone.
Windows are scored at ``max(due, known_at)``; their evidence is summed in order of onset, in
float64, whatever the order of arrival. A trial whose evidence has ended may still wait for windows
when the next one begins: each is decided when its own last window is in.
"""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.markers import TRIAL_END, TRIAL_START, split_marker
from pipeline.spec import EventWindow, PipelineSpec, SelectionDecoder
from pipeline.tail_text import read_tail
from pipeline.values import Event, Hypothesis, Output, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.language_model import LanguageModel
    from pipeline.values import Figure, Marker


@dataclass(order=True, frozen=True, slots=True)
class Look:
    """One scoring of one stimulus window: at ``ready_at`` samples, its first ``length`` samples."""

    ready_at: int
    onset: int
    order: int
    length: int
    row: int
    start: int
    is_last: bool = field(compare=False)
    group: str = field(compare=False)


@dataclass(slots=True, eq=False)
class _Trial:
    """What is known of the trial that is being decided."""

    number: int
    start: int
    stop: int | None = None
    n_stimuli: int = 0
    looks: list[Look] = field(default_factory=list)
    evidence: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict)
    used: list[tuple[int, int]] = field(default_factory=list)
    n_tainted: int = 0
    shown: str = ""


class SelectionStream:
    """The state of selection over one stream.

    Args:
        spec: a pipeline with an event window and a selection decoder.
        lm: prior over symbols given the transcript, or None.
        trials: numbers of the trials to decode (the nth ``trial:start``, from 0), None for all.
        on_decision: called as a trial ends, before its symbol or abstention is given, with its
            number and its posterior (n_symbols,), None without evidence.

    Raises:
        ValueError: ``decoder.max_s`` is shorter than the first checkpoint, or settings out of
            range.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        *,
        lm: LanguageModel | None = None,
        trials: frozenset[int] | None = None,
        on_decision: Callable[[int, NDArray[np.float64] | None], None] | None = None,
    ) -> None:
        window, decoder = spec.window, spec.decoder
        if not isinstance(window, EventWindow) or not isinstance(decoder, SelectionDecoder):
            raise ValueError("selection: wanted an event window and a selection decoder")
        self._window = window
        self._settings = decoder
        self._vocabulary = spec.vocabulary
        self._members = {
            name: np.isin(np.array(spec.vocabulary), list(symbols)).astype(np.float64)
            for name, symbols in spec.groups.items()
        }
        self._lm = lm if decoder.lm_weight else None
        self._context: list[int] = []
        self._trials = trials
        self._on_decision = on_decision
        self._rows = self._usable_rows(spec.rate_hz)
        self._open: list[_Trial] = []  # oldest first; only the last may still take stimuli
        self._looked: _Trial | None = None
        self._has_trial_markers = False
        self._n_trials = self._n_looks = 0
        self._now = self._decided_at = 0
        self.n_windows_due = self.n_windows_done = self.n_windows_skipped = 0

    def _usable_rows(self, rate_hz: float) -> list[int]:
        """Return the rows of the model's output that ``max_s`` leaves; the last one is final."""
        lengths = self._window.checkpoints_samples
        max_s = self._settings.max_s
        rows = [k for k, n in enumerate(lengths) if max_s is None or n <= max_s * rate_hz + 1e-6]
        if not rows:
            raise ValueError(
                f"decoder.max_s: got {max_s} s, wanted at least the first checkpoint,"
                f" {lengths[0] / rate_hz:g} s"
            )
        return rows if self._settings.threshold <= 1.0 else rows[-1:]

    @property
    def n_windows_pending(self) -> int:
        """Windows that are known and not yet scored to their end."""
        return self.n_windows_due - self.n_windows_done - self.n_windows_skipped

    def mark(self, text: str, marker: Marker) -> list[Output]:
        """Take a decoding marker at the moment it is known."""
        self._now = marker.known_at
        if text == TRIAL_START:
            self._has_trial_markers = True
            outputs = self._leave(marker.index)
            self._begin(marker.index)
            return outputs
        if text == TRIAL_END:
            trial = self._open[-1] if self._open else None
            if trial is None or trial.stop is not None or marker.index < trial.start:
                return []
            trial.stop = marker.index
            return self._decide_if_complete(trial)
        return self._stimulus(split_marker(text)[1], marker)

    def _leave(self, stop: int) -> list[Output]:
        """End the newest trial where the next begins: one that was not over was given up."""
        if not self._open:
            return []
        trial = self._open[-1]
        if trial.stop is None and not self._is_full(trial):
            return self._close(trial, "trial_restarted")
        if trial.stop is None:
            trial.stop = stop
        return []

    def _begin(self, start: int) -> None:
        number = self._n_trials
        self._n_trials += 1
        if self._trials is None or number in self._trials:
            self._open.append(_Trial(number=number, start=start))

    def _is_full(self, trial: _Trial) -> bool:
        limit = self._settings.max_stimuli
        return limit is not None and trial.n_stimuli >= limit

    def _trial_at(self, index: int) -> _Trial | None:
        """Return the open trial that a stimulus at ``index`` belongs to."""
        for trial in reversed(self._open):
            if trial.start <= index and (trial.stop is None or index < trial.stop):
                return trial
        return None

    def _stimulus(self, group: str, marker: Marker) -> list[Output]:
        if self._settings.scores == "stimulus" and group not in self._members:
            return [self._event("unknown_marker", marker, {"marker": f"stim:{group}"})]
        trial = self._trial_at(marker.index)
        if not self._has_trial_markers and (trial is None or self._is_full(trial)):
            # A stimulus program that marks no trials: each stimulus may begin one.
            self._leave(marker.index)
            self._begin(marker.index)
            trial = self._trial_at(marker.index)
        if trial is None:
            if marker.index >= self._decided_at:
                return []  # the trial is decided, or not one of those asked for: it needs no more
            return [self._event("late_marker", marker, {"marker": f"stim:{group}"})]
        if self._is_full(trial):
            return []
        self._add_looks(trial, marker, group)
        return []

    def _add_looks(self, trial: _Trial, marker: Marker, group: str) -> None:
        trial.n_stimuli += 1
        self.n_windows_due += 1
        start = marker.index + self._window.offset_samples
        for row in self._rows:
            length = self._window.checkpoints_samples[row]
            look = Look(
                ready_at=max(start + length, marker.known_at),
                onset=marker.index,
                order=self._n_looks,
                length=length,
                row=row,
                start=start,
                is_last=row == self._rows[-1],
                group=group,
            )
            self._n_looks += 1
            insort(trial.looks, look)

    def next_look(self, position: int) -> Look | None:
        """Return the next window to score once ``position`` samples are in, or None.

        The next call is :meth:`score` or :meth:`skip` for it.
        """
        waiting = [trial for trial in self._open if trial.looks]
        trial = min(waiting, key=lambda trial: trial.looks[0], default=None)
        if trial is None or trial.looks[0].ready_at > position:
            return None
        self._looked = trial
        return trial.looks.pop(0)

    def skip(self, look: Look, position: int) -> list[Output]:
        """Take that a window could not be scored: history no longer holds it."""
        outputs: list[Output] = []
        if look.is_last:
            self.n_windows_skipped += 1
            outputs.append(Event("window_skipped", look.onset, position, {"reason": "too_late"}))
        return outputs + (self._decide_if_complete(self._looked) if self._looked else [])

    def score(self, look: Look, output: NDArray[np.float32], *, tainted: bool) -> list[Output]:
        """Take the model's output for a look: ``(n_checkpoints, n_symbols)``, or ``(1, 1)``."""
        self._now = look.ready_at
        trial = self._looked
        if trial is None:
            return []
        row = output[look.row].astype(np.float64)
        vector = (
            row if self._settings.scores == "symbol" else float(row[0]) * self._members[look.group]
        )
        if look.is_last:
            self.n_windows_done += 1
            trial.n_tainted += tainted
        key = (look.onset, look.start)
        if not tainted and np.isfinite(vector).all():
            trial.evidence[key] = vector
        trial.used.append((look.start, look.start + look.length))
        if self._settings.threshold <= 1.0 and trial.evidence:
            posterior, _, _ = self._posterior(trial)
            if posterior.max() >= self._settings.threshold:
                return self._decide(trial)
        decided = self._decide_if_complete(trial)
        return decided or self._partial(trial)

    def close(self) -> list[Output]:
        """End the stream: an undecided trial is told as abstained, its symbol is not committed."""
        return [out for trial in tuple(self._open) for out in self._close(trial, "stream_ended")]

    def forget(self) -> list[Output]:
        """Drop what is undecided, as a pause does."""
        return [out for trial in tuple(self._open) for out in self._close(trial, "paused")]

    def _posterior(
        self, trial: _Trial
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return posterior, summed evidence and language-model scores, each ``(n_symbols,)``."""
        total = np.zeros(len(self._vocabulary))
        for key in sorted(trial.evidence):
            total = total + trial.evidence[key]
        prior = np.zeros(len(self._vocabulary))
        if self._lm is not None:
            state = self._lm.start
            for symbol in self._context:
                state = self._lm.advance(state, symbol)
            prior = self._lm.scores(state)
        logits = total + self._settings.lm_weight * prior
        posterior = np.exp(logits - logits.max())
        return posterior / posterior.sum(), total, prior

    def _decide_if_complete(self, trial: _Trial) -> list[Output]:
        if trial.looks or (trial.stop is None and not self._is_full(trial)):
            return []
        return self._decide(trial)

    def _decide(self, trial: _Trial) -> list[Output]:
        if not trial.evidence:
            return self._close(trial, "tainted" if trial.n_tainted else "no_windows")
        posterior, total, prior = self._posterior(trial)
        best = int(posterior.argmax())
        if posterior[best] < self._settings.abstain_below:
            return self._close(trial, "unsure")
        self._end_trial(trial)
        symbol = self._vocabulary[best]
        delete, text = read_tail((symbol,))
        if self._lm is not None:
            self._remember(best, delete)
        samples = _extent(trial.used)
        return [
            Text(
                kind="final",
                text=text,
                symbols=(symbol,),
                samples=samples,
                nbest=self._nbest(posterior, total, prior),
                raw_confidence=float(posterior[best]),
                delete=delete,
                tainted=trial.n_tainted > 0,
            ),
            *_nothing_shown(trial, samples),
        ]

    def _remember(self, symbol: int, delete: int) -> None:
        """Keep what the language model conditions on: the newest symbols of the transcript."""
        if delete:
            del self._context[-delete:]
        elif read_tail((self._vocabulary[symbol],))[1]:
            self._context.append(symbol)
            del self._context[:-32]

    def _nbest(
        self, posterior: NDArray[np.float64], total: NDArray[np.float64], prior: NDArray[np.float64]
    ) -> tuple[Hypothesis, ...]:
        weight = self._settings.lm_weight
        order = np.argsort(-posterior, kind="stable")[: self._settings.n_best]
        return tuple(
            Hypothesis(
                text=self._vocabulary[k],
                score=float(total[k] + weight * prior[k]),
                model_score=float(total[k]),
                lm_score=float(prior[k]),
            )
            for k in order
        )

    def _partial(self, trial: _Trial) -> list[Output]:
        """Show the leading symbol of a trial whose evidence still comes in, when it changes."""
        if not trial.evidence:
            return []
        posterior, total, prior = self._posterior(trial)
        best = int(posterior.argmax())
        symbol = self._vocabulary[best]
        if symbol == trial.shown:
            return []
        trial.shown = symbol
        return [
            Text(
                kind="partial",
                text=read_tail((symbol,))[1],
                symbols=(symbol,),
                samples=_extent(trial.used),
                nbest=self._nbest(posterior, total, prior),
                raw_confidence=float(posterior[best]),
                tainted=trial.n_tainted > 0,
            )
        ]

    def _close(self, trial: _Trial, reason: str) -> list[Output]:
        """Leave a trial without a symbol, and say which it would have been."""
        self._end_trial(trial)
        posterior, _, _ = self._posterior(trial)
        best = int(posterior.argmax())
        samples = _extent(trial.used) if trial.used else (trial.start, trial.start)
        figures: dict[str, Figure] = {
            "trial": trial.number,
            "reason": reason,
            "symbol": self._vocabulary[best] if trial.evidence else None,
            "posterior": float(posterior[best]) if trial.evidence else None,
        }
        event = Event("abstained", samples[1], samples[1], figures)
        return [*_nothing_shown(trial, samples), event]

    def _end_trial(self, trial: _Trial) -> None:
        """Leave the trial. A window scored in part counts as done, one not begun was never due."""
        begun = {start for start, _ in trial.used}
        for look in trial.looks:
            if look.is_last and look.start in begun:
                self.n_windows_done += 1
            elif look.is_last:
                self.n_windows_due -= 1
        self._open.remove(trial)
        self._decided_at = self._now
        if self._on_decision is not None:
            posterior = self._posterior(trial)[0] if trial.evidence else None
            self._on_decision(trial.number, posterior)

    def _event(self, kind: str, marker: Marker, figures: dict[str, Figure]) -> Event:
        return Event(kind, marker.index, marker.known_at, figures)


def _nothing_shown(trial: _Trial, samples: tuple[int, int]) -> list[Output]:
    """Return the partial that takes back what was shown of a trial: its tail is empty now."""
    return [Text(kind="partial", text="", symbols=(), samples=samples)] if trial.shown else []


def _extent(spans: list[tuple[int, int]]) -> tuple[int, int]:
    return min(start for start, _ in spans), max(stop for _, stop in spans)


def wolpaw_bits(n_symbols: int, accuracy: float) -> float:
    """Return the bits one selection carries (Wolpaw et al. 1998), 0 below chance level."""
    if n_symbols < 2 or accuracy <= 1.0 / n_symbols:
        return 0.0
    bits = math.log2(n_symbols)
    if accuracy < 1.0:
        wrong = 1.0 - accuracy
        bits += accuracy * math.log2(accuracy) + wrong * math.log2(wrong / (n_symbols - 1))
    return bits
