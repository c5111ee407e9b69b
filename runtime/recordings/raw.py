"""A recording as it lies on disk, read whole: the EEG in its own unit, stamps, markers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import RecordingError
from pipeline.values import Event

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.values import Marker

MAX_RATE_HZ = 1e6


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """What of the configuration a replay needs to give our own daemon's messages again.

    ``channels`` maps the bundle's channel names to the stream's labels where they differ.
    """

    stream: str
    pause_marker: str
    resume_marker: str
    channels: dict[str, str]
    every_decode: bool


@dataclass(slots=True)
class RawRecording:
    """What a reader of one format gives.

    ``values`` is ``(n_samples, n_channels)`` in the file's own units. ``stamps`` (n_samples,) are
    raw, in seconds, or None where samples are regular by definition. ``markers`` are
    ``(text, stamp)`` on the EEG's clock, or ``(text, sample index)`` without ``stamps``, in order.
    ``inputs`` are, for a recording of our own daemon, the markers and events exactly as its chain
    took them, in that order; None otherwise. ``run`` says how it was configured, where the
    recording says so. ``subject`` names who was recorded, empty where nothing does.
    ``is_simulated``: nobody was; the recording says so itself.
    """

    name: str
    source_id: str
    rate_hz: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    values: NDArray[Any]
    stamps: NDArray[np.float64] | None
    markers: list[tuple[str, float]] = field(default_factory=list)
    inputs: list[Marker | Event] | None = None
    run: RecordedRun | None = None
    subject: str = ""
    is_simulated: bool = False

    def check(self, where: str) -> None:
        """Refuse what no chain could run on.

        Raises:
            RecordingError: no samples, no channels, no rate, or values or stamps that are no
                numbers.
        """
        if self.values.ndim != 2 or not np.issubdtype(self.values.dtype, np.number):
            raise RecordingError(f"{where}: the EEG stream {self.name!r} holds no numbers")
        n_samples, n_channels = self.values.shape
        if np.issubdtype(self.values.dtype, np.complexfloating):
            raise RecordingError(f"{where}: the EEG stream {self.name!r} holds complex numbers")
        if not n_samples or not n_channels:
            raise RecordingError(f"{where}: the EEG stream {self.name!r} has no samples")
        if not 0 < self.rate_hz <= MAX_RATE_HZ:
            raise RecordingError(
                f"{where}: the EEG stream {self.name!r} has rate {self.rate_hz},"
                " wanted a regular one"
            )
        if len(self.labels) != n_channels or len(self.units) != n_channels:
            raise RecordingError(
                f"{where}: {len(self.labels)} channel names for {n_channels} channels"
            )
        if self.stamps is None:
            return
        if len(self.stamps) != n_samples:
            raise RecordingError(f"{where}: {len(self.stamps)} stamps for {n_samples} samples")
        n_bad = int((~np.isfinite(self.stamps)).sum())
        if n_bad:
            raise RecordingError(
                f"{where}: {n_bad} of {n_samples} stamps of {self.name!r} are no numbers"
            )


def without_dropped(
    inputs: list[Marker | Event], dropped: list[tuple[int, int]]
) -> list[Marker | Event]:
    """Return inputs on the samples that were recorded, where the recorder had to drop some.

    Args:
        inputs: as the chain took them, on all samples.
        dropped: first sample and count of each run that is missing in the recording.
    """
    if not dropped:
        return inputs

    def kept(index: int) -> int:
        return index - sum(min(max(index - first, 0), n) for first, n in dropped)

    placed: list[Marker | Event] = [
        Event("overrun", kept(first), kept(first), {"n_samples": n, "by": "recorder"})
        for first, n in dropped
    ]
    for given in inputs:
        if isinstance(given, Event):
            moved = replace(given, sample=kept(given.sample), known_at=kept(given.known_at))
            placed.append(moved)
        else:
            index, known_at = kept(given.index), kept(given.known_at)
            placed.append(replace(given, index=index, known_at=known_at))
    return sorted(placed, key=lambda given: given.known_at)
