"""A lock-free ring of samples: one writer, any readers, contiguous views without a copy.

Invariant: with ``r = n_reserved`` and ``w = n_written``, ``w <= r <= w + capacity`` and every
    sample in
``[r - capacity, w)`` is whole. The writer moves ``r`` before it touches memory and ``w`` after; a
reader that finds its samples inside that range after it copied them knows that they were never
torn. Each row is written twice, ``capacity`` apart, so that any run of up to ``capacity`` samples
is contiguous.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.values import Samples


class Ring:
    """The newest ``capacity`` samples, addressed by their index since the first.

    One thread writes; reading is safe from any thread. Nobody ever waits.
    """

    def __init__(self, capacity: int, n_channels: int) -> None:
        if capacity < 1 or n_channels < 1:
            raise ValueError(
                f"ring: got {capacity} samples of {n_channels} channels, wanted 1 or more of each"
            )
        self.capacity = capacity
        # Written now, not when the first samples come: a page's first touch takes milliseconds.
        self._rows = np.full((2 * capacity, n_channels), 0.0, dtype=np.float32)
        self._n_reserved = 0
        self._n_written = 0

    @property
    def n_written(self) -> int:
        """Samples written since the start: the index of the next one."""
        return self._n_written

    @property
    def oldest(self) -> int:
        """Index of the oldest sample that is surely whole."""
        return max(0, self._n_reserved - self.capacity)

    def write(self, samples: Samples) -> None:
        """Append ``(n_samples, n_channels)``; the oldest are overwritten, readers or not."""
        for start in range(0, len(samples), self.capacity):
            self._write_piece(samples[start : start + self.capacity])

    def _write_piece(self, piece: Samples) -> None:
        self._n_reserved = self._n_written + len(piece)
        at = self._n_written % self.capacity
        n_before_wrap = min(len(piece), self.capacity - at)
        for offset in (0, self.capacity):
            self._rows[offset + at : offset + at + n_before_wrap] = piece[:n_before_wrap]
            self._rows[offset : offset + len(piece) - n_before_wrap] = piece[n_before_wrap:]
        self._n_written = self._n_reserved

    def view(self, start: int, n_samples: int) -> Samples:
        """Return samples ``start .. start + n_samples`` as a read-only contiguous view.

        The view is valid until the next :meth:`write`; copy it to keep it, and where the writer is
        another thread ask :attr:`oldest` after the copy.

        Raises:
            IndexError: part of the run is overwritten, or not yet written.
        """
        if start < self.oldest:
            raise IndexError(f"ring: sample {start} is overwritten, the oldest is {self.oldest}")
        if n_samples < 0 or start + n_samples > self._n_written:
            raise IndexError(
                f"ring: samples {start} to {start + n_samples} asked for,"
                f" {self._n_written} are written"
            )
        at = start % self.capacity
        run = self._rows[at : at + n_samples]
        run.flags.writeable = False
        return run


class RingReader:
    """One reader's place in a ring, counting exactly what it was too slow for."""

    def __init__(self, ring: Ring, *, n_channels: int) -> None:
        self._ring = ring
        self._copy: NDArray[np.float32] = np.empty((ring.capacity, n_channels), dtype=np.float32)
        self.position = 0

    def read(self, max_samples: int) -> tuple[Samples, int]:
        """Return up to ``max_samples``, and how many were overwritten before them.

        The samples are the reader's own copy, valid until its next read. After an overrun
        :attr:`position` has moved past the lost samples.
        """
        n_lost = 0
        while True:
            skipped = max(0, self._ring.oldest - self.position)
            self.position += skipped
            n_lost += skipped
            n_samples = min(self._ring.n_written - self.position, max_samples, self._ring.capacity)
            copy = self._copy[:n_samples]
            try:
                copy[:] = self._ring.view(self.position, n_samples)
            except IndexError:
                continue  # overwritten between the question and the view
            if self.position >= self._ring.oldest:
                self.position += n_samples
                return copy, n_lost
