"""The commit rule for overlapping windows: what successive hypotheses agree on is final.

Every window is written out anew, beginning with what was *settled* before and still lies in it; the
*tail* is what comes after. The start of a tail is committed once ``n_agree`` successive tails begin
with it, its last attention peak is older than the stability time, and its last word is whole; at an
endpoint, after silence, the rest is. What leaves the window can never be heard again: it is
committed if it was agreed on, else left out and told. So nothing waits for ever, and the state
holds a window's symbols at most.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.commit import FOR_EVER, LONGEST_WORD
from pipeline.ctc_beam import MAX_UNDONE
from pipeline.decoder_ranges import check_overlap
from pipeline.seq2seq import END, share
from pipeline.seq2seq_doubt import ends_before, n_before_jump, n_before_loop, n_shared
from pipeline.seq2seq_search import Seq2SeqSearch, by_end
from pipeline.seq2seq_settled import MISPLACED, Settled, Spoken
from pipeline.tail_text import BACKSPACE, is_action, read_tail, split_at_actions
from pipeline.units import seconds_to_samples
from pipeline.values import Event, Figure, Hypothesis, Output, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipeline.ctc_beam import SymbolModel
    from pipeline.seq2seq import Found, Stepper
    from pipeline.spec import Seq2SeqDecoder, SlidingWindow

JUMP_BACK_S: Final = 0.4
"""How far an attention peak may lie behind those of earlier symbols; peaks are not that sharp."""

PAUSE: Final = 3.0
"""Symbols that could have been said in a pause which ends a text, the model being sure of it."""

MARGIN: Final = 12.0
"""Nats below the best hypothesis that has ended, beyond which one is given up."""


class Seq2SeqStream:
    """Memories of overlapping windows in; partials, finals and abstentions out.

    The raw confidence of a piece is the share of the hypotheses that begin with all that is
    committed with it, by their scores, times the model's probability of its symbols.
    """

    def __init__(
        self,
        settings: Seq2SeqDecoder,
        vocabulary: Sequence[str],
        lm: SymbolModel | None,
        *,
        stepper: Stepper,
        window: SlidingWindow,
        n_frames: int,
        rate_hz: float,
        stopwatch_ns: Callable[[], int] = int,
    ) -> None:
        """Take the vocabulary of the model's output; its first symbol is the end ``""``.

        Raises:
            ValueError: the vocabulary has no end, a time is not a whole number of samples, the
                search is beyond the stepper, or nothing could be stable or agreed on before it
                leaves the window.
        """
        if not vocabulary or vocabulary[END] != "":
            raise ValueError(f"vocabulary: got {vocabulary[:1]}, expected the end '' first")
        self._settings = settings
        self._vocabulary = tuple(vocabulary)
        self._lm = None if settings.method == "greedy" else lm
        self._window = window
        self._n_frames = n_frames
        self._frame_samples = window.window_samples // n_frames
        self._stability = seconds_to_samples(
            settings.stability_s, rate_hz=rate_hz, where="decoder.stability_s"
        )
        self._endpoint = seconds_to_samples(
            settings.endpoint_s, rate_hz=rate_hz, where="decoder.endpoint_s"
        )
        check_overlap(settings, window, rate_hz=rate_hz)
        self._most_back = round(JUMP_BACK_S * rate_hz)
        self._backspace = {s: k for k, s in enumerate(vocabulary)}.get(BACKSPACE)
        self._search = Seq2SeqSearch(
            stepper,
            settings,
            lm=lm,
            backspace=self._backspace,
            margin=MARGIN,
            stopwatch_ns=stopwatch_ns,
        )
        self.reset()

    def reset(self) -> None:
        """Forget everything, as if new."""
        self._settled = Settled(self._search.n_longest, frame_samples=self._frame_samples)
        self._said = self._start_of_sentence()
        self._last_said = 0
        self._earlier: deque[tuple[int, ...]] = deque(maxlen=self._settings.n_agree - 1)
        self._n_agreed = 0
        self._found: list[Found] = []
        self._tail: list[Spoken] = []
        self._rest: list[Spoken] = []
        self._shown: list[int] = []
        self._start = self._next = 0
        self._is_tainted = False

    @property
    def step_ns(self) -> int:
        """Nanoseconds the step decoder took for the last window decoded."""
        return self._search.step_ns

    def push(
        self, memory: NDArray[np.float32], *, first_sample: int, tainted: bool = False
    ) -> list[Output]:
        """Take the memory ``(n_frames, n_features)`` of the window that begins at a sample.

        A memory that is not numbers throughout is a window in which nothing is heard.

        Raises:
            ValueError: another number of frames, or a window no later than the last one.
        """
        if memory.ndim != 2 or len(memory) != self._n_frames:
            wanted = f"({self._n_frames}, n_features)"
            raise ValueError(f"memory: got shape {memory.shape}, expected {wanted}")
        if not np.isfinite(memory).all():
            return self.skip(first_sample=first_sample)
        self._move(first_sample)
        self._settled.move(self._start)
        self._is_tainted = tainted
        self._found = self._write_out(memory[np.newaxis])
        out: list[Output] = []
        self._tail, self._rest = self._read(self._found[0])
        self._decide(out)
        self._show(out)
        return out

    def skip(self, *, first_sample: int) -> list[Output]:
        """Take that nothing is heard in the newest part of the window that begins at a sample.

        What was heard before stays as it is, and comes to its end by silence.

        Raises:
            ValueError: a window no later than the last one.
        """
        self._move(first_sample)
        out: list[Output] = []
        if self._is_silent():
            self._commit(self._n_agreed, out)
            self._give_up(len(self._tail), "unsettled", out)
            self._begin_sentence()
        else:
            self._leave(out)
        self._show(out)
        return out

    def finish(self) -> list[Output]:
        """Commit the rest, as at an endpoint; later windows begin a new sentence."""
        out: list[Output] = []
        self._end(out, quiet_since=FOR_EVER)
        self._show(out)
        return out

    def partial(self) -> Text:
        """Return the uncommitted tail as it is now, changed or not."""
        tail = self._tail
        symbols, delete, text = self._spell(tail)
        confidence = self._confidence(tail, self._share(tail)) if tail else None
        span = self._span(tail) if tail else (self._next, self._next)
        nbest = self._n_best()
        return Text("partial", text, symbols, span, nbest, confidence, delete, self._is_tainted)

    def _move(self, first_sample: int) -> None:
        stop = first_sample + self._window.window_samples
        if stop <= self._next:
            raise ValueError(f"first_sample: got {first_sample}, expected a later window")
        self._start, self._next = first_sample, stop

    def _start_of_sentence(self) -> list[int]:
        return [self._lm.start] if self._lm else []

    def _write_out(self, memory: NDArray[np.float32]) -> list[Found]:
        """Search with the settled text before; with a symbol more or less if that is misplaced."""
        prefix = self._settled.prefix(0) or []
        found, off = self._search_after(prefix, memory)
        if abs(off) > MISPLACED:
            other = self._settled.prefix(1 if off < 0 else -1)
            if other is not None:
                instead, still_off = self._search_after(other, memory)
                if abs(still_off) < abs(off):
                    return instead
        return found

    def _search_after(
        self, prefix: list[int], memory: NDArray[np.float32]
    ) -> tuple[list[Found], float]:
        """Return hypotheses that begin with a prefix, and by how many symbols it is misplaced."""
        (found,) = self._search.run(memory, prefixes=[prefix], lm_states=[self._said])
        frames = self._search.prefix_frames[0]
        places = [self._start + frame * self._frame_samples for frame in frames]
        return found, self._settled.off_by(places)

    def _read(self, found: Found) -> tuple[list[Spoken], list[Spoken]]:
        """Return what of a hypothesis can be believed, and the rest; no peak before another."""
        peaks = found.attention[: len(found.symbols)].argmax(axis=1)
        places = (self._start + peaks * self._frame_samples).tolist()
        settled = self._settled.inside()
        start = max(self._start, settled[-1].sample if settled else 0)
        n_believed = n_before_jump(places, start=start, most_back=self._most_back)
        n_unlooped = n_before_loop([*_symbols(settled), *found.symbols]) - len(settled)
        n_believed = min(n_believed, max(0, n_unlooped))
        spoken = []
        for symbol, place, log_p in zip(found.symbols, places, found.log_p, strict=True):
            start = max(start, place)
            spoken.append(Spoken(symbol, start, log_p))
        return spoken[:n_believed], spoken[n_believed:]

    def _decide(self, out: list[Output]) -> None:
        """Commit what the rule lets go; keep the hypothesis for the next ones to agree with."""
        whole = _symbols(self._tail + self._rest)
        has_all = len(self._earlier) == self._settings.n_agree - 1
        is_settled = has_all and all(whole == tail for tail in self._earlier)
        if self._tail and is_settled and (self._is_silent() or self._says_end()):
            self._end(out, quiet_since=self._next - min(self._stability, self._endpoint))
            return
        self._n_agreed = n_shared(_symbols(self._tail), self._earlier)
        self._earlier.append(whole)
        if has_all:
            self._commit(self._whole_words(self._n_stable()), out)
        self._leave(out)
        if not self._tail and self._next - self._last_said >= self._endpoint:
            self._said = self._start_of_sentence()

    def _n_stable(self) -> int:
        """Return how many symbols of the tail are agreed on and old enough."""
        limit = self._next - self._stability - self._frame_samples
        return sum(spoken.sample <= limit for spoken in self._tail[: self._n_agreed])

    def _whole_words(self, n_symbols: int) -> int:
        """Return how many remain when the last, open word is left out, unless it is too long."""
        if not self._settings.commit_words:
            return n_symbols
        for n_words in range(n_symbols, 0, -1):
            symbol = self._vocabulary[self._tail[n_words - 1].symbol]
            if symbol.endswith(" ") or is_action(symbol):
                return n_words
        return max(0, min(n_symbols, len(self._tail) - LONGEST_WORD))

    def _leave(self, out: list[Output]) -> None:
        """Settle what the next window will not hold: commit what was agreed on, give up the rest.

        Before there are hypotheses enough to agree, those there are do.
        """
        start = self._start + self._window.hop_samples
        n_leaving = sum(spoken.sample < start for spoken in self._tail)
        n_commit = min(n_leaving, self._n_agreed)
        self._commit(n_commit, out)
        self._give_up(n_leaving - n_commit, "unsettled", out)

    def _is_silent(self) -> bool:
        """Say whether the tail adds nothing after its last symbol for the endpoint time."""
        if not self._tail:
            return False
        return self._next - self._tail[-1].sample - self._frame_samples >= self._endpoint

    def _says_end(self) -> bool:
        """Say whether the model ends the text and looks at nothing after it, though it is time.

        It is time when several symbols more would have been said at the pace of those before.
        """
        spoken = [*self._settled.inside(), *self._tail]
        pace = (spoken[-1].sample - spoken[0].sample) / max(len(spoken) - 1, 1)
        wait = math.ceil(max(self._stability, PAUSE * pace) / self._frame_samples)
        late = (spoken[-1].sample - self._start) // self._frame_samples + 1 + wait
        return len(spoken) > 1 and not self._rest and ends_before(late, self._found[0])

    def _end(self, out: list[Output], *, quiet_since: int) -> None:
        """Commit all that was said, as it ends best of what is silent since; begin a sentence."""
        if self._lm is not None and self._tail:
            self._found = by_end(self._found, self._settings)
            for k, found in enumerate(self._found):
                tail, rest = self._read(found)
                if tail and tail[-1].sample <= quiet_since:
                    self._tail, self._rest = tail, rest
                    self._found.insert(0, self._found.pop(k))
                    break
        self._commit(len(self._tail), out)
        if out and self._rest:
            out.append(self._abstained(self._rest, "repeats", self._share(self._rest)))
        self._begin_sentence()

    def _begin_sentence(self) -> None:
        self._said = self._start_of_sentence()
        self._found, self._tail, self._rest, self._n_agreed = [], [], [], 0
        self._earlier.clear()
        self._earlier.append(())

    def _commit(self, n_symbols: int, out: list[Output]) -> None:
        """Turn the start of the tail into finals; an action is one of its own."""
        if not n_symbols:
            return
        piece, nbest = self._tail[:n_symbols], self._n_best()
        piece_share = self._share(piece)
        for part in split_at_actions(piece, self._vocabulary):
            confidence = self._confidence(part, piece_share)
            if confidence < self._settings.abstain_below:
                out.append(self._abstained(part, "unsure", piece_share))
                continue
            symbols, delete, text = self._spell(part)
            span, tainted = self._span(part), self._is_tainted
            out.append(Text("final", text, symbols, span, nbest, confidence, delete, tainted))
        self._settled.extend(piece)
        self._last_said = piece[-1].sample + self._frame_samples
        self._say(piece)
        self._drop(n_symbols)

    def _give_up(self, n_symbols: int, reason: str, out: list[Output]) -> None:
        """Leave the start of the tail out of the text, and say so."""
        if n_symbols:
            piece = self._tail[:n_symbols]
            out.append(self._abstained(piece, reason, self._share(piece)))
            self._drop(n_symbols)

    def _drop(self, n_symbols: int) -> None:
        """Take the start off the tail and whatever begins with it; what does not is out."""
        start = _symbols(self._tail[:n_symbols])
        self._tail = self._tail[n_symbols:]
        self._n_agreed = max(0, self._n_agreed - n_symbols)
        self._found = [
            found.after(n_symbols, self._settings)
            for found in self._found
            if found.symbols[:n_symbols] == start
        ]
        agreeing = [tail[n_symbols:] for tail in self._earlier if tail[:n_symbols] == start]
        self._earlier = deque(agreeing, maxlen=self._earlier.maxlen)

    def _say(self, piece: list[Spoken]) -> None:
        """Take the language model on; a backspace takes it back."""
        if self._lm is None:
            return
        for spoken in piece:
            if spoken.symbol != self._backspace:
                self._said.append(self._lm.advance(self._said[-1], spoken.symbol))
            elif len(self._said) > 1:
                self._said.pop()
        del self._said[:-MAX_UNDONE]

    def _show(self, out: list[Output]) -> None:
        """Publish the tail if it is not what was published last."""
        symbols = list(_symbols(self._tail))
        if symbols != self._shown:
            self._shown = symbols
            out.append(self.partial())

    def _abstained(self, piece: list[Spoken], reason: str, piece_share: float) -> Event:
        span, confidence = self._span(piece), self._confidence(piece, piece_share)
        _, delete, text = self._spell(piece)
        figures: dict[str, Figure] = {"reason": reason, "text": text, "delete": delete}
        figures |= {"confidence": confidence, "start": span[0]}
        return Event("abstained", span[1], self._next, figures)

    def _spell(self, piece: list[Spoken]) -> tuple[tuple[str, ...], int, str]:
        """Return the symbols, how many characters they delete before them, and their text."""
        symbols = tuple(self._vocabulary[spoken.symbol] for spoken in piece)
        return symbols, *read_tail(symbols)

    def _span(self, piece: list[Spoken]) -> tuple[int, int]:
        return piece[0].sample, piece[-1].sample + self._frame_samples

    def _share(self, piece: list[Spoken]) -> float:
        return share(self._found, _symbols(piece))

    def _confidence(self, piece: list[Spoken], piece_share: float) -> float:
        return piece_share * math.exp(min(0.0, sum(spoken.log_p for spoken in piece)))

    def _n_best(self) -> tuple[Hypothesis, ...]:
        return tuple(
            Hypothesis(
                read_tail(self._vocabulary[symbol] for symbol in found.symbols)[1],
                found.score,
                found.model_score,
                found.lm_score,
            )
            for found in self._found[: self._settings.n_best]
        )


def _symbols(piece: list[Spoken]) -> tuple[int, ...]:
    return tuple(spoken.symbol for spoken in piece)
