"""A recording as it lies on disk, read whole: the EEG in its own unit, stamps, markers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import RecordingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.values import Event, Marker

MAX_RATE_HZ = 1e6


@dataclass(slots=True)
class RawRecording:
    """What a reader of one format gives.

    ``values`` is ``(n_samples, n_channels)`` in the file's own units. ``stamps`` (n_samples,) are
    raw, in seconds, or None where samples are regular by definition. ``markers`` are ``(text,
    stamp)`` on the EEG's clock, or where ``stamps`` is None ``(text, sample index)``, in file
    order. ``inputs`` are, for a recording of our own daemon, the markers and events exactly as its
    chain took them; None otherwise.
    """

    name: str
    source_id: str
    rate_hz: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    values: NDArray[Any]
    stamps: NDArray[np.float64] | None
    markers: list[tuple[str, float]] = field(default_factory=list)
    inputs: tuple[list[Marker], list[Event]] | None = None

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
        if self.stamps is not None and len(self.stamps) != n_samples:
            raise RecordingError(f"{where}: {len(self.stamps)} stamps for {n_samples} samples")
