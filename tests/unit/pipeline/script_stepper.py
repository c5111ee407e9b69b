"""A step decoder that says what a script tells it to, window by window, for the commit rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LETTERS = ("", "a", "b", "c", " ", "<backspace>")
N_FRAMES = 20
FRAME_SAMPLES = 10
HOP_SAMPLES = 20
WINDOW_SAMPLES = N_FRAMES * FRAME_SAMPLES


@dataclass(frozen=True)
class Line:
    """One hypothesis: symbols, the frame each is attended in, and where the end looks."""

    text: Sequence[str]
    frames: Sequence[int]
    end_frame: int = N_FRAMES - 1
    weight: float = 1.0

    @property
    def tokens(self) -> tuple[int, ...]:
        """The symbols' indices, the end behind them."""
        return (*(LETTERS.index(s) for s in self.text), 0)


@dataclass
class ScriptStepper:
    """Rows follow the lines that begin with what they hold, by weight; all else ends at once."""

    n_rows: int = 3
    max_symbols: int = 40
    n_symbols: int = len(LETTERS)
    scripts: dict[int, list[Line]] = field(default_factory=dict)
    _lines: list[Line] = field(default_factory=list)
    _histories: list[tuple[int, ...]] = field(default_factory=list)

    def memory(self, number: int, lines: list[Line]) -> NDArray[np.float32]:
        """Return the memory ``(n_frames, 1)`` of a window for which these lines are written."""
        self.scripts = {number: lines}
        return np.full((N_FRAMES, 1), number, dtype=np.float32)

    def begin(self, memory: NDArray[np.float32]) -> None:
        """Open the script of a window."""
        self._lines = self.scripts[int(memory[0, 0, 0])]
        self._histories = [()] * self.n_rows

    def step(
        self, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Follow the script."""
        if position:
            taken = zip(parents.tolist(), tokens.tolist(), strict=True)
            self._histories = [(*self._histories[p], t) for p, t in taken]
        log_p = np.empty((self.n_rows, self.n_symbols), dtype=np.float32)
        attention = np.zeros((self.n_rows, N_FRAMES), dtype=np.float32)
        for row, history in enumerate(self._histories):
            p, frame = np.full(self.n_symbols, 1e-4), N_FRAMES - 1
            n = len(history)
            going = [
                line for line in self._lines if line.tokens[:n] == history and n <= len(line.text)
            ]
            for line in sorted(going, key=lambda line: line.weight):
                p[line.tokens[n]] += line.weight
                frame = line.frames[n] if n < len(line.frames) else line.end_frame
            if not going:
                p[0] = 1.0
            log_p[row] = np.log(p / p.sum())
            attention[row, frame] = 1.0
        return log_p, attention
