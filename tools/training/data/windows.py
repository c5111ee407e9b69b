"""What a sequence-to-sequence network is trained on: windows as the daemon will see them.

A window begins anywhere, in the middle of a symbol too. Its text are the symbols that lie wholly
inside and ended a little before the window does. Where nobody knows when each symbol was on, as in
any recording of a person, a window is the whole span of a text.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.errors import RecordingError
from tools.training.data.examples import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.values import Samples
    from tools.training.data.example import Example
    from tools.training.data.examples import Sessions

END: Final = 0

CUT_SHARE: Final = 0.3
"""A symbol of which the window's start leaves less than this is not in the window."""

CUT_CHANCE: Final = 0.5
"""How often one of which it leaves more is."""

MOST_DRAWN: Final = 100
"""So many sessions shorter than a window, and there are no longer ones."""


@dataclass(frozen=True, slots=True)
class Window:
    """One window: filtered ``samples`` (T, n_inputs) and its text as indices into the vocabulary.

    ``spans`` (n_labels, 2) are the frames ``[first, stop)`` that carry each symbol, ``on`` (F,) the
    symbol at each frame's end; None where that is not known.
    """

    samples: Samples
    labels: tuple[int, ...]
    spans: NDArray[np.int64] | None = None
    on: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Windows side by side: ``samples`` (n, T, n_inputs), zeros behind each one's ``n_frames``.

    ``labels`` (n, L): each text, its end, then :data:`UNKNOWN`. ``spans`` (n, L, 2) in frames,
    empty ones where nobody knows; that of the end is all behind the last symbol. ``on`` (n, F).
    """

    samples: NDArray[np.float32]
    n_frames: NDArray[np.int64]
    labels: NDArray[np.int64]
    spans: NDArray[np.int64]
    on: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WindowCut:
    """How windows are cut: ``window_samples`` long, in frames of ``patch_samples``.

    A symbol belongs to a window that ends ``settle_samples`` or more behind it, and begins no later
    than it. One that the start cuts belongs to it now and then (``cut_chance``) all the same: the
    daemon may bring it along as text it has committed, so a decoder has to go on from either.
    """

    window_samples: int
    patch_samples: int
    settle_samples: int
    cut_chance: float = CUT_CHANCE

    def window(self, example: Example, start: int, rng: np.random.Generator) -> Window:
        """Return the window of ``example`` that begins at sample ``start``.

        Raises:
            ValueError: the example's timing is not known.
        """
        if example.on is None:
            raise ValueError("example.on: got None, wanted the symbol at every sample")
        stop = start + self.window_samples
        labels: list[int] = []
        spans: list[tuple[int, int]] = []
        for label, first, last in symbol_runs(example.on):
            if last <= start or last > stop - self.settle_samples:
                continue
            share = (last - max(first, start)) / (last - first)
            if share < 1.0 and (share < CUT_SHARE or rng.random() >= self.cut_chance):
                continue
            labels.append(label)
            begins = max(first - start, 0) // self.patch_samples
            spans.append((begins, -(-(last - start) // self.patch_samples)))
        on = example.on[start:stop][self.patch_samples - 1 :: self.patch_samples]
        where = np.array(spans, dtype=np.int64).reshape(-1, 2)
        return Window(example.samples[start:stop], tuple(labels), where, on)

    def whole(self, example: Example, rng: np.random.Generator) -> Window:
        """Return all of ``example`` as one window; of a rest longer than a window a piece."""
        samples = example.samples
        if not example.labels and len(samples) > self.window_samples:
            start = int(rng.integers(len(samples) - self.window_samples + 1))
            samples = samples[start : start + self.window_samples]
        n_frames = len(samples) // self.patch_samples
        return Window(samples[: n_frames * self.patch_samples], example.labels)


def symbol_runs(on: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return ``(label, start, stop)`` of every stretch of one symbol in ``on`` (n_samples,)."""
    edges = np.flatnonzero(np.diff(on, prepend=0, append=0)).tolist()
    runs = [(int(on[a]), a, b) for a, b in itertools.pairwise(edges)]
    return [run for run in runs if run[0] != END]


def collate_windows(windows: Sequence[Window], *, patch_samples: int) -> WindowBatch:
    """Put windows of whole patches side by side."""
    n_frames = np.array([len(w.samples) // patch_samples for w in windows])
    n_longest = max(len(w.labels) for w in windows) + 1
    n_most = int(n_frames.max())
    n_inputs = windows[0].samples.shape[1]
    samples = np.zeros((len(windows), n_most * patch_samples, n_inputs), np.float32)
    labels = np.full((len(windows), n_longest), UNKNOWN)
    spans = np.zeros((len(windows), n_longest, 2), np.int64)
    on = np.full((len(windows), n_most), UNKNOWN)
    for k, window in enumerate(windows):
        n_labels = len(window.labels)
        samples[k, : len(window.samples)] = window.samples
        labels[k, :n_labels] = window.labels
        labels[k, n_labels] = END
        if window.spans is not None:
            spans[k, :n_labels] = window.spans
            spans[k, n_labels] = (window.spans[:, 1].max(initial=0), n_frames[k])
        if window.on is not None:
            on[k, : n_frames[k]] = window.on
    return WindowBatch(samples, n_frames, labels, spans, on)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows out of ``sessions``, ``per_session`` of each where timing is known, else 1.

    ``max_symbols`` is what the network can write, the end included.
    """

    sessions: Sessions
    cut: WindowCut
    max_symbols: int
    seed: int
    per_session: int = 1

    @property
    def n_batch(self) -> int:
        """Windows a step."""
        return self.sessions.n_batch

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> WindowBatch:
        """Return the batch of ``step``, or ``rows`` of it.

        Raises:
            RecordingError: a text is longer than the network can write, or no session as long as
                a window.
        """
        wanted = range(self.n_batch)[rows or slice(None)]
        needed = sorted({row // self.per_session for row in wanted})
        examples = {row: self._session(step, row, progress) for row in needed}
        windows = []
        for row in wanted:
            example = examples[row // self.per_session]
            rng = np.random.default_rng([self.seed, step, row])
            if example.on is None:
                windows.append(self.cut.whole(example, rng))
            else:
                start = int(rng.integers(len(example.samples) - self.cut.window_samples + 1))
                windows.append(self.cut.window(example, start, rng))
        n_longest = max(len(window.labels) for window in windows)
        if n_longest >= self.max_symbols:
            raise RecordingError(
                f"a window's text has {n_longest} symbols, wanted at most {self.max_symbols - 1} "
                "and the end (network.max_symbols)"
            )
        return collate_windows(windows, patch_samples=self.cut.patch_samples)

    def _session(self, step: int, row: int, progress: float) -> Example:
        """Return the session of ``row``; another one instead if it is shorter than a window."""
        for number in range(MOST_DRAWN):
            example = self.sessions.example(step, row + number * self.n_batch, progress=progress)
            if example.on is None or len(example.samples) >= self.cut.window_samples:
                return example
        raise RecordingError(
            f"{MOST_DRAWN} sessions are shorter than a window of {self.cut.window_samples} samples"
        )
