"""The simulated person behind the source port: a session in chunks, as fast as it is pulled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.values import Batch, Marker
from runtime.paradigm import CHANNELS
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from runtime.source import StreamEnded, StreamInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.simulation.synthesis import Session


class SimulatedSource:
    """A :class:`~runtime.source.Source` of one synthesised session; it never waits.

    Args:
        texts: what is typed, each with rest around it and ``text:`` markers at its ends.
        seed: of the session; the same seed gives the same samples to the bit.
        chunk_samples: how many samples a pull hands over; the last may be shorter.
        name: the stream's name.

    Raises:
        UsageError: a character the simulated person cannot type; names it.
    """

    def __init__(
        self,
        texts: str | Sequence[str],
        *,
        seed: int,
        settings: SynthesisSettings | None = None,
        chunk_samples: int = 10,
        name: str = "eegscribe-sim",
    ) -> None:
        self._settings = settings or SynthesisSettings()
        self.session: Session = synthesise(texts, seed=seed, settings=self._settings)
        self._markers = [Marker(text, index, index) for index, text in self.session.truth()]
        self._chunk_samples = chunk_samples
        self._name = name
        self._next = 0

    def open(self, timeout_s: float | None) -> StreamInfo:
        """Say what the session offers; it is there at once, whatever ``timeout_s``."""
        return StreamInfo(
            name=self._name,
            source_id=self._name,
            rate_hz=self._settings.rate_hz,
            channels=CHANNELS,
            unit="microvolts",
            is_simulated=True,
        )

    def pull(self, timeout_s: float) -> Batch | None:
        """Return the next chunk, a read-only view, with the markers known by its end.

        Raises:
            StreamEnded: the session is over.
        """
        first, stop = self._next, min(self._next + self._chunk_samples, len(self.session.samples))
        if first == stop:
            raise StreamEnded
        last = stop == len(self.session.samples)
        markers = tuple(m for m in self._markers if m.known_at < stop or last)
        self._markers = self._markers[len(markers) :]
        self._next = stop
        return Batch(first, self.session.samples[first:stop], markers)

    def lsl_time(self, sample_index: int) -> float:
        """Return seconds since the session's first sample."""
        return sample_index / self._settings.rate_hz

    def close(self) -> None:
        """Nothing is held."""
