"""A listener of the sequence-to-sequence stream, whose model reads from a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.language_model import LanguageModel
from pipeline.seq2seq_stream import Seq2SeqStream
from pipeline.spec import Seq2SeqDecoder, SlidingWindow
from pipeline.values import Event, Output, Text
from tests.unit.pipeline.script_stepper import (
    FRAME_SAMPLES,
    HOP_SAMPLES,
    LETTERS,
    N_FRAMES,
    WINDOW_SAMPLES,
    Line,
    ScriptStepper,
)

RATE_HZ = 100.0
Truth = list[tuple[str, int]]
"""Symbols, and the sample each is said at."""


class Listener:
    """A stream with its script, window after window."""

    def __init__(self, lm: LanguageModel | None = None, **changes: Any) -> None:
        self.stepper = ScriptStepper()
        decoder = Seq2SeqDecoder(
            **{"beam": 3, "stability_s": 0.4, "endpoint_s": 1.0, "commit_words": False} | changes
        )
        self.stream = Seq2SeqStream(
            decoder,
            LETTERS,
            lm,
            stepper=self.stepper,
            window=SlidingWindow(window_samples=WINDOW_SAMPLES, hop_samples=HOP_SAMPLES),
            n_frames=N_FRAMES,
            rate_hz=RATE_HZ,
        )
        self.start = 0
        self.outputs: list[Output] = []

    def hear(self, *lines: Line, tainted: bool = False) -> list[Output]:
        memory = self.stepper.memory(self.start, list(lines))
        outputs = self.stream.push(memory, first_sample=self.start, tainted=tainted)
        self.start += HOP_SAMPLES
        self.outputs += outputs
        return outputs

    def hear_truth(self, truth: Truth, n_windows: int, **line: Any) -> list[Output]:
        outputs: list[Output] = []
        for _ in range(n_windows):
            outputs += self.hear(self.line(truth, **line))
        return outputs

    def line(self, truth: Truth, **line: Any) -> Line:
        """Return what lies in the next window, where it lies."""
        inside = [(s, at) for s, at in truth if self.start <= at < self.start + WINDOW_SAMPLES]
        frames = [(at - self.start) // FRAME_SAMPLES for _, at in inside]
        return Line([s for s, _ in inside], frames, **line)

    def skip(self, n_windows: int = 1) -> list[Output]:
        outputs: list[Output] = []
        for _ in range(n_windows):
            outputs += self.stream.skip(first_sample=self.start)
            self.start += HOP_SAMPLES
        self.outputs += outputs
        return outputs


def finals(outputs: Sequence[Output]) -> list[Text]:
    return [o for o in outputs if isinstance(o, Text) and o.kind == "final"]


def partials(outputs: Sequence[Output]) -> list[str]:
    return [o.text for o in outputs if isinstance(o, Text) and o.kind == "partial"]


def events(outputs: Sequence[Output]) -> list[Event]:
    return [o for o in outputs if isinstance(o, Event)]


def text(outputs: Sequence[Output]) -> str:
    return "".join(f.text for f in finals(outputs))


def spoken(string: str, start: int = 150, every: int = 25) -> Truth:
    return [(s, start + k * every) for k, s in enumerate(string)]
