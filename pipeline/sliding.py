"""Which samples the next sliding window holds, and what a head makes of the model's output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.commit import CtcStream
from pipeline.ctc import BLANK
from pipeline.seq2seq_stream import Seq2SeqStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pipeline.ctc_lexicon import Words
    from pipeline.language_model import LanguageModel
    from pipeline.seq2seq import Stepper
    from pipeline.spec import CtcDecoder, PipelineSpec, Seq2SeqDecoder, SlidingWindow
    from pipeline.values import Output, Text


class Decoder(Protocol):
    """What every stream of sliding windows can do."""

    def finish(self) -> list[Output]:
        """Commit the rest, as at an endpoint."""

    def partial(self) -> Text:
        """Return the uncommitted tail as it is now."""

    def reset(self) -> None:
        """Forget everything, as if new."""


class Sliding(Protocol):
    """What the chain asks of a head over sliding windows."""

    windows: SlidingWindows

    @property
    def decoder(self) -> Decoder:
        """What makes text of it."""

    @property
    def step_ns(self) -> int:
        """Nanoseconds the model took after its first call, for the last window."""

    def new_part(self, start: int) -> tuple[int, int]:
        """Return first sample and end of what the window from ``start`` adds to those before."""

    def needs_model(self, *, silent: bool) -> bool:
        """Say whether the model must see a window, if nothing is heard in its new part."""

    def push(
        self, start: int, output: NDArray[np.float32] | None, *, silent: bool, tainted: bool
    ) -> list[Output]:
        """Take the model's output for the window from ``start``; None where it was not run."""

    def resume(self, n_samples: int) -> None:
        """Forget everything; nothing before that sample may be heard."""


class SlidingWindows:
    """The windows of one stream, counted."""

    def __init__(self, window: SlidingWindow) -> None:
        self._window = window
        self._next_stop = window.window_samples
        self._heard_from = 0
        self.n_windows_due = 0
        self.n_windows_done = 0
        self.n_windows_skipped = 0
        self.n_windows_pending = 0

    def next_window(self, n_samples: int) -> tuple[int, int] | None:
        """Return ``start, stop`` of the next window if ``n_samples`` fill it, and move on."""
        stop = self._next_stop
        if stop > n_samples:
            return None
        self._next_stop += self._window.hop_samples
        self.n_windows_due += 1
        return stop - self._window.window_samples, stop

    def hear_from(self, sample: int) -> None:
        """Let no window hold samples before this one."""
        self._heard_from = sample

    def may_hear(self, start: int) -> bool:
        """Say whether a window from ``start`` holds only what may be heard."""
        return start >= self._heard_from


class SlidingCtc:
    """Frames of a ``ctc`` head: of each window those of the newest hop."""

    step_ns = 0

    def __init__(
        self,
        spec: PipelineSpec,
        window: SlidingWindow,
        settings: CtcDecoder,
        n_frames: int,
        lm: LanguageModel | None,
        words: Words | None,
    ) -> None:
        self.windows = SlidingWindows(window)
        self._window = window
        self._frame_samples = window.window_samples // n_frames
        n_new = window.hop_samples // self._frame_samples
        self._silence = np.full((n_new, len(spec.vocabulary)), -30.0, dtype=np.float32)
        self._silence[:, BLANK] = 0.0
        self.decoder = CtcStream(
            settings,
            spec.vocabulary,
            lm,
            frame_samples=self._frame_samples,
            rate_hz=spec.rate_hz,
            words=words,
        )

    def new_part(self, start: int) -> tuple[int, int]:
        """Return the newest hop, ``lookahead`` behind the end."""
        stop = start + self._window.window_samples - self._window.lookahead_samples
        return stop - self._window.hop_samples, stop

    def needs_model(self, *, silent: bool) -> bool:
        """Return True: its state goes on through silence."""
        return True

    def push(
        self, start: int, output: NDArray[np.float32] | None, *, silent: bool, tainted: bool
    ) -> list[Output]:
        """Decode the new frames of ``(n_frames, n_symbols)``; silence is frames surely blank."""
        first, end = self.new_part(start)
        if output is None or silent:
            frames = self._silence
        else:
            frames = output[
                (first - start) // self._frame_samples : (end - start) // self._frame_samples
            ]
        return self.decoder.push(frames, first_sample=first, tainted=tainted)

    def resume(self, n_samples: int) -> None:
        """Begin anew; only new frames are ever decoded."""
        self.decoder.reset()


class SlidingSeq2Seq:
    """Memories of a ``seq2seq`` head: every window is written out anew."""

    def __init__(
        self,
        spec: PipelineSpec,
        window: SlidingWindow,
        settings: Seq2SeqDecoder,
        n_frames: int,
        lm: LanguageModel | None,
        *,
        stepper: Stepper,
        stopwatch_ns: Callable[[], int],
    ) -> None:
        self.windows = SlidingWindows(window)
        self._window = window
        self.decoder = Seq2SeqStream(
            settings,
            spec.vocabulary,
            lm,
            stepper=stepper,
            window=window,
            n_frames=n_frames,
            rate_hz=spec.rate_hz,
            stopwatch_ns=stopwatch_ns,
        )

    @property
    def step_ns(self) -> int:
        """Nanoseconds the step decoder took for the last window decoded."""
        return self.decoder.step_ns

    def new_part(self, start: int) -> tuple[int, int]:
        """Return the newest hop."""
        stop = start + self._window.window_samples
        return stop - self._window.hop_samples, stop

    def needs_model(self, *, silent: bool) -> bool:
        """Return whether anything new is heard: windows are independent."""
        return not silent

    def push(
        self, start: int, output: NDArray[np.float32] | None, *, silent: bool, tainted: bool
    ) -> list[Output]:
        """Decode the memory ``(n_frames, n_features)``."""
        if output is None or silent:
            return self.decoder.skip(first_sample=start)
        return self.decoder.push(output, first_sample=start, tainted=tainted)

    def resume(self, n_samples: int) -> None:
        """Begin anew with windows that hold nothing of a pause."""
        self.decoder.reset()
        self.windows.hear_from(n_samples)
