"""Settled text is found again where it lies, though the window's start cuts a symbol in two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.seq2seq_settled import N_BEFORE, Settled, Spoken
from pipeline.seq2seq_stream import Seq2SeqStream
from pipeline.spec import Seq2SeqDecoder, SlidingWindow
from pipeline.values import Text
from tests.unit.pipeline.script_stepper import FRAME_SAMPLES, LETTERS, N_FRAMES, WINDOW_SAMPLES

HOP_SAMPLES = 30
TEXT = [(s, 150 + 40 * k) for k, s in enumerate("abc ba cab ab ccb a")]
"""Symbols, and the middle of each; it lasts 40 samples."""


class CountingStepper:
    """Attends to one symbol of the window after the other, whatever it is given to go on from."""

    n_rows, n_symbols, max_symbols = 2, len(LETTERS), 40

    def begin(self, memory: NDArray[np.float32]) -> None:
        """Take a memory of ``(symbol, frame)`` rows, those of symbol 0 empty."""
        rows = memory[0].astype(int).tolist()
        self._heard = [(symbol, frame) for symbol, frame in rows if symbol]

    def step(
        self, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Write the symbol of that number."""
        is_last = position >= len(self._heard)
        symbol, frame = (0, N_FRAMES - 1) if is_last else self._heard[position]
        p = np.full((self.n_rows, self.n_symbols), 0.01, dtype=np.float32)
        p[:, symbol] = 0.95
        attention = np.zeros((self.n_rows, N_FRAMES), dtype=np.float32)
        attention[:, frame] = 1.0
        return np.log(p), attention


def heard(start: int, *, least: int, most_behind: int) -> NDArray[np.float32]:
    """Return the memory of a window; of a cut symbol ``least`` samples are enough to count."""
    memory = np.zeros((N_FRAMES, 2), dtype=np.float32)
    rows = [
        (LETTERS.index(s), max(at - start, 0) // FRAME_SAMPLES)
        for s, at in TEXT
        if at + 20 - start >= least and at + 20 <= start + WINDOW_SAMPLES - most_behind
    ]
    memory[: len(rows)] = np.reshape(rows, (-1, 2))
    return memory


@pytest.mark.parametrize("commit_words", [True, False])
@pytest.mark.parametrize("least", [1, 5, 10, 15, 20])
def test_a_decoder_that_counts_a_cut_symbol_or_not_writes_text_once(
    least: int, *, commit_words: bool
) -> None:
    stream = Seq2SeqStream(
        Seq2SeqDecoder(beam=2, stability_s=0.3, endpoint_s=1.0, commit_words=commit_words),
        LETTERS,
        None,
        stepper=CountingStepper(),
        window=SlidingWindow(window_samples=WINDOW_SAMPLES, hop_samples=HOP_SAMPLES),
        n_frames=N_FRAMES,
        rate_hz=100.0,
    )
    finals = []
    for start in range(0, 1200, HOP_SAMPLES):
        outputs = stream.push(heard(start, least=least, most_behind=10), first_sample=start)
        finals += [o.text for o in outputs if isinstance(o, Text) and o.kind == "final"]
    assert "".join(finals) == "abc ba cab ab ccb a"


def spoken(*samples: int) -> list[Spoken]:
    return [Spoken(k + 1, sample, -0.1) for k, sample in enumerate(samples)]


def test_what_lies_in_the_window_and_one_before() -> None:
    settled = Settled(4, frame_samples=10)
    assert settled.prefix(0) is None
    assert settled.off_by([]) == 0.0
    settled.extend(spoken(100, 140, 180, 220))
    assert settled.prefix(0) == [1, 2, 3, 4]
    assert settled.prefix(1) is None
    settled.move(150)
    assert (settled.prefix(0), settled.prefix(1), settled.prefix(-1)) == ([3, 4], [2, 3, 4], [4])
    assert [s.sample for s in settled.inside()] == [180, 220]
    settled.move(230)
    assert (len(settled), settled.prefix(0), settled.prefix(1)) == (0, None, [4])


def test_how_far_off_text_is_counts_in_symbols() -> None:
    settled = Settled(10, frame_samples=10)
    settled.extend(spoken(100, 140, 180, 220))
    assert settled.off_by([100, 140, 180, 220]) == 0.0
    assert settled.off_by([60, 100, 140, 180]) == -1.0
    assert settled.off_by([180, 220, 260]) == 1.0
    assert abs(settled.off_by([110, 140, 180, 210])) < 0.5
    assert settled.off_by([0]) == 0.0  # one symbol alone tells nothing


@given(
    pieces=st.lists(st.lists(st.integers(0, 30), max_size=6), max_size=20),
    n_most=st.integers(1, 8),
)
def test_no_more_is_kept_than_a_window_holds(pieces: list[list[int]], n_most: int) -> None:
    settled, at = Settled(n_most, frame_samples=10), 0
    for steps in pieces:
        samples = [at := at + step for step in steps]
        settled.extend(spoken(*samples))
        settled.move(at - 50)
        assert len(settled) == len(settled.inside()) <= n_most
        assert len(settled._spoken) <= n_most + N_BEFORE
        assert all(s.sample >= at - 50 for s in settled.inside())
