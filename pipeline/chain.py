"""The whole computation, raw samples to text, as one pure machine.

Theory of operation. Input is samples, markers and events; each marker and event carries
``known_at``, the count of samples that were in when it arrived. At every count the chain first
decodes the windows that are due there, then takes the events, then the markers known there. What
comes out is therefore a function of those inputs alone: cutting the samples into other chunks
changes nothing, and a recording gives what the live session gave. There is no clock here; a
stopwatch may be handed in to time the stages, and touches nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from pipeline.filters import FilterChain
from pipeline.markers import PAUSE, RESUME, decoding_marker
from pipeline.ring import Ring
from pipeline.selection import SelectionStream
from pipeline.sliding import SlidingCtc, SlidingSeq2Seq
from pipeline.spec import CtcDecoder, PipelineSpec, Seq2SeqDecoder, SlidingWindow
from pipeline.taint import TaintedSpans
from pipeline.values import Event, Marker, Output, Text, Times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pipeline.ctc_lexicon import Words
    from pipeline.language_model import LanguageModel
    from pipeline.selection import Look
    from pipeline.seq2seq import Stepper
    from pipeline.sliding import Sliding
    from pipeline.values import Samples

HISTORY_S = 5.0
"""How long past the longest window history is kept: a late marker still finds its samples."""

SETTLE_S = 0.5
"""How long after a jump in the signal the filters still ring: such samples are tainted."""

FLAT_WITHIN = 1e-3
"""How little a model's input may move, in its own units, over a window that says nothing."""

TAINTING = frozenset({"gap", "overrun", "stream_found", "clock_jump"})


Stage = Literal["filter", "model", "decode", "other"]
"""What the chain is at; ``other`` is its own bookkeeping between the rest."""


class Scorer(Protocol):
    """What the chain asks of a model; :class:`models.model.Model` is one."""

    def run(self, window: Samples) -> NDArray[np.float32]:
        """Return ``(n_rows, n_columns)`` for ``(n_samples, n_inputs)``; the model's own memory."""
        ...

    def reset(self) -> None:
        """Forget the state."""
        ...


def _no_clock() -> int:
    return 0


def _unheard(_stage: Stage) -> None:
    return


class Chain:
    """One stream's computation, from raw microvolts to partials, finals and events.

    Args:
        spec: the bundle's pipeline.
        model: scores windows; owned by this chain.
        n_frames: frames a model call gives (sliding windows), else ignored.
        stepper: the step decoder of a ``seq2seq`` head; owned by this chain.
        lm: language model, or None.
        words: what a decoder that finds words can say.
        marker_names: foreign marker texts to ours, over those of the spec.
        trials: numbers of the trials to decode, None for all.
        on_decision: hears each trial's posterior; see :class:`pipeline.selection.SelectionStream`.
        every_decode: give a partial for every decode, changed or not.
        stopwatch_ns: a counter of nanoseconds for timing the stages.
        on_stage: hears of every stage that begins, which ends the one before; changes nothing.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        model: Scorer,
        *,
        n_frames: int = 1,
        stepper: Stepper | None = None,
        lm: LanguageModel | None = None,
        words: Words | None = None,
        marker_names: Mapping[str, str] | None = None,
        trials: frozenset[int] | None = None,
        on_decision: Callable[[int, NDArray[np.float64] | None], None] | None = None,
        every_decode: bool = False,
        stopwatch_ns: Callable[[], int] = _no_clock,
        on_stage: Callable[[Stage], None] = _unheard,
    ) -> None:
        self.spec = spec
        self._model = model
        self._filters = FilterChain(spec)
        self._names = {**spec.markers, **(marker_names or {})}
        self._every_decode = every_decode
        self._now_ns = stopwatch_ns
        self._enter = on_stage
        self._filter_ns = 0
        self.n_samples = 0
        self.is_paused = False
        self.n_markers = 0
        self.n_decoded = 0
        self.last_times = Times()
        settle = round(SETTLE_S * spec.rate_hz)
        self._settle_samples = settle
        longest = self._longest_window()
        self._piece_samples = max(longest, round(spec.rate_hz))
        capacity = longest + round(HISTORY_S * spec.rate_hz) + self._piece_samples
        self._history = Ring(capacity, self._filters.n_inputs)
        self._taint = TaintedSpans(capacity + settle)
        self._held = TaintedSpans(capacity)
        self._sliding = self._open_sliding(n_frames, stepper, lm, words)
        self._selection: SelectionStream | None = None
        if self._sliding is None:
            self._selection = SelectionStream(spec, lm=lm, trials=trials, on_decision=on_decision)
        self._padded = np.zeros((longest, self._filters.n_inputs), dtype=np.float32)

    def _open_sliding(
        self,
        n_frames: int,
        stepper: Stepper | None,
        lm: LanguageModel | None,
        words: Words | None,
    ) -> Sliding | None:
        spec, window = self.spec, self.spec.window
        if not isinstance(window, SlidingWindow):
            return None
        if isinstance(spec.decoder, CtcDecoder):
            return SlidingCtc(spec, window, spec.decoder, n_frames, lm, words)
        if not isinstance(spec.decoder, Seq2SeqDecoder) or stepper is None:
            raise ValueError("window: sliding windows want a ctc head, or seq2seq with its stepper")
        return SlidingSeq2Seq(
            spec, window, spec.decoder, n_frames, lm, stepper=stepper, stopwatch_ns=self._now_ns
        )

    def _longest_window(self) -> int:
        window = self.spec.window
        if isinstance(window, SlidingWindow):
            return window.window_samples
        return window.length_samples

    @property
    def counters(self) -> dict[str, int]:
        """Windows due, decoded, skipped and pending; the first is the sum of the others."""
        counts = self._sliding.windows if self._sliding else self._selection
        if counts is None:
            return {}
        return {
            "windows_due": counts.n_windows_due,
            "windows_decoded": counts.n_windows_done,
            "windows_skipped": counts.n_windows_skipped,
            "windows_pending": counts.n_windows_pending,
        }

    def push(
        self, samples: Samples, markers: Sequence[Marker] = (), events: Sequence[Event] = ()
    ) -> list[Output]:
        """Take the next samples and what became known meanwhile; return what follows from them.

        Args:
            samples: raw ``(n_samples, n_channels)`` float32 µV, the ones after the last push; not
                kept.
            markers: with ``known_at`` no later than the end of ``samples``, in order.
            events: likewise.
        """
        if not markers and not events:
            return self._advance(samples)
        outputs: list[Output] = []
        first, stop = self.n_samples, self.n_samples + len(samples)
        inputs: list[tuple[int, int, Event | Marker]] = [
            (max(e.known_at, first), 0, e) for e in events
        ]
        inputs += [(max(m.known_at, first), 1, m) for m in markers]
        inputs.sort(key=lambda entry: entry[:2])
        for known_at, _, given in inputs:
            outputs += self._advance(samples[self.n_samples - first : min(known_at, stop) - first])
            if isinstance(given, Event):
                outputs += self._take_event(given)
            else:
                outputs += self._take_marker(given)
        return outputs + self._advance(samples[self.n_samples - first :])

    def finish(self) -> list[Output]:
        """End the stream: commit what an endpoint would commit, abstain from what is undecided.

        A stream that returns after it was lost goes on from here.
        """
        if self._sliding is not None:
            return self._sliding.decoder.finish()
        return self._selection.close() if self._selection is not None else []

    def _advance(self, samples: Samples) -> list[Output]:
        outputs: list[Output] = []
        for start in range(0, len(samples), self._piece_samples):
            piece = samples[start : start + self._piece_samples]
            self._enter("filter")
            started_ns = self._now_ns()
            filtered, held = self._filters.push_marking(piece)
            self._filter_ns = self._now_ns() - started_ns
            self._enter("other")
            if held is not None:
                self._mark_held(held)
            self._history.write(filtered)
            self.n_samples += len(piece)
            outputs += self._decode_due()
        return outputs

    def _mark_held(self, held: NDArray[np.bool_]) -> None:
        """Taint samples with a held value; where half the channels were, it is no signal."""
        for spans, bad in ((self._taint, held.any(axis=1)), (self._held, held.mean(axis=1) >= 0.5)):
            edges = np.flatnonzero(np.diff(bad.astype(np.int8), prepend=0, append=0))
            for start, stop in edges.reshape(-1, 2):
                spans.add(self.n_samples + int(start), self.n_samples + int(stop))

    def _decode_due(self) -> list[Output]:
        outputs: list[Output] = []
        if self._sliding is not None:
            windows = self._sliding.windows
            while (window := windows.next_window(self.n_samples)) is not None:
                outputs += self._decode_sliding(self._sliding, *window)
        elif self._selection is not None:
            outputs += self._decode_looks(self._selection)
        return outputs

    def _decode_looks(self, selection: SelectionStream) -> list[Output]:
        outputs: list[Output] = []
        while (look := selection.next_look(self.n_samples)) is not None:
            outputs += self._decode_look(selection, look)
        return outputs

    def _decode_sliding(self, sliding: Sliding, start: int, stop: int) -> list[Output]:
        if self.is_paused or not sliding.windows.may_hear(start):
            sliding.windows.n_windows_skipped += 1
            return []
        self._enter("model")
        began_ns = self._now_ns()
        window = self._history.view(start, stop - start)
        first, end = sliding.new_part(start)
        flat = is_flat(window[first - start : end - start])
        if flat:
            self._taint.add(first, end)
        silent = flat or self._held.overlap(first, end)
        output = self._model.run(window) if sliding.needs_model(silent=silent) else None
        scored_ns = self._now_ns()
        self._enter("decode")
        tainted = self._taint.overlap(start, stop)
        outputs = sliding.push(start, output, silent=silent, tainted=tainted)
        sliding.windows.n_windows_done += 1
        if self._every_decode and not any(isinstance(o, Text) for o in outputs):
            outputs = [*outputs, sliding.decoder.partial()]
        step_ns = sliding.step_ns if output is not None else 0
        return _partial_first(outputs, self._times(began_ns, scored_ns, step_ns))

    def _decode_look(self, selection: SelectionStream, look: Look) -> list[Output]:
        self._enter("model")
        began_ns = self._now_ns()
        try:
            run = self._history.view(look.start, look.length)
        except IndexError:
            self._enter("other")
            return selection.skip(look, self.n_samples)
        self._padded[: look.length] = run
        self._padded[look.length :] = 0
        output = self._model.run(self._padded)
        scored_ns = self._now_ns()
        self._enter("decode")
        tainted = is_flat(run) or self._taint.overlap(look.start, look.start + look.length)
        outputs = selection.score(look, output, tainted=tainted)
        return _partial_first(outputs, self._times(began_ns, scored_ns))

    def _times(self, began_ns: int, scored_ns: int, step_ns: int = 0) -> Times:
        self.n_decoded += 1
        self.last_times = Times(
            filter_ns=self._filter_ns,
            model_ns=scored_ns - began_ns + step_ns,
            decode_ns=self._now_ns() - scored_ns - step_ns,
        )
        self._enter("other")
        return self.last_times

    def _take_event(self, event: Event) -> list[Output]:
        if event.kind in TAINTING and event.sample > 0:
            self._taint.add(event.sample - 1, event.sample + self._settle_samples)
        if event.kind == "stream_lost":
            return [*self.finish(), event]
        if event.kind == "pause":
            return [event, *self._pause()]
        if event.kind == "resume":
            self._resume()
        return [event]

    def _take_marker(self, marker: Marker) -> list[Output]:
        self.n_markers += 1
        text = decoding_marker(marker.text, self._names)
        if text is None:
            return []
        if text == PAUSE:
            return [
                Event("pause", self.n_samples, self.n_samples, {"by": "marker"}),
                *self._pause(),
            ]
        if text == RESUME:
            self._resume()
            return [Event("resume", self.n_samples, self.n_samples, {"by": "marker"})]
        if self._selection is None or self.is_paused:
            return []
        self._enter("decode")
        outputs = self._selection.mark(text, marker)
        self._enter("other")
        return outputs + self._decode_looks(self._selection)

    def _pause(self) -> list[Output]:
        """Finish what was said, then hear nothing: a person may rest unheard."""
        if self.is_paused:
            return []
        self.is_paused = True
        if self._sliding is not None:
            return self._sliding.decoder.finish()
        return self._selection.forget() if self._selection is not None else []

    def _resume(self) -> None:
        if not self.is_paused:
            return
        self.is_paused = False
        if self._sliding is not None:
            self._model.reset()
            self._sliding.resume(self.n_samples)


def is_flat(window: Samples) -> bool:
    """Say whether half of a window's inputs or more do not move: no brain is heard there."""
    if len(window) < 2:
        return False
    still = np.ptp(window, axis=0) < FLAT_WITHIN
    return bool(2 * np.count_nonzero(still) >= len(still))


def _partial_first(outputs: list[Output], times: Times) -> list[Output]:
    """Return one decode's outputs: the newest partial, then the rest; text with its times.

    A partial needs no journal: told first, it never waits for the commit of a final beside it.
    """
    partial: list[Output] = []
    rest: list[Output] = []
    for output in outputs:
        if isinstance(output, Event):
            rest.append(output)
        elif output.kind == "partial":
            partial = [replace(output, times=times)]
        else:
            rest.append(replace(output, times=times))
    return partial + rest
