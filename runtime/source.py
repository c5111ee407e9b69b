"""Where samples come from: one small port, with LSL, a recording and a simulator behind it.

A source owns time. Behind it there are LSL seconds; in front of it a sample is an integer index
from the first received, markers sit on indices, and every batch is delivered in order with nothing
missing that an event does not account for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pipeline.values import Batch, Event, Marker


SIMULATED = ("acquisition", "simulated")
"""Where a stream's description says ``true`` if nobody's head was measured: beside the
manufacturer and the model, as XDF's meta-data conventions have them.
"""


class StreamEnded(Exception):  # noqa: N818 - no error: a recording is over
    """Every sample of a recording was handed over; nothing will follow."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source offers once it is open.

    ``rate_hz`` is the nominal rate. ``channels`` are the labels in the order of a batch's columns,
    after picking. ``unit`` is what the stream itself said (``""`` if nothing); batches are always
    microvolts. ``uid`` is LSL's identity of this very outlet, None outside LSL. ``is_simulated``:
    the stream calls itself so (:data:`SIMULATED` in its description); no person's EEG.
    """

    name: str
    source_id: str
    rate_hz: float
    channels: tuple[str, ...]
    unit: str = ""
    uid: str | None = None
    hostname: str = ""
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class RawStream:
    """The EEG stream as it is on the wire: every channel, its own format and unit.

    ``header`` is its XML description, recorded as it is; where it is empty one is made.
    """

    name: str
    source_id: str
    rate_hz: float
    channel_format: str
    channels: tuple[str, ...]
    unit: str = ""
    uid: str = ""
    hostname: str = ""
    header: str = ""


class Tap(Protocol):
    """Hears everything a live source receives, as it came; returns at once. The recorder is one."""

    def samples(self, values: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        """Hear samples ``(n_samples, n_channels)`` in the stream's own format; keeps copies."""
        ...

    def marker(self, marker: Marker, stamp: float) -> None:
        """Hear a marker as the chain takes it, with its own raw stamp in seconds."""
        ...

    def event(self, event: Event) -> None:
        """Hear an event of the source."""
        ...

    def clock_offset(self, of: Literal["eeg", "markers"], time_s: float, offset_s: float) -> None:
        """Hear what is to be added to a stream's stamps, measured at local ``time_s``."""
        ...


class Source(Protocol):
    """Samples, markers and events of one stream, in order.

    Used from one thread. A source that reconnects keeps counting: the index goes on, with events
    ``stream_lost`` and ``stream_found`` between.
    """

    def open(self, timeout_s: float | None) -> StreamInfo:
        """Find the stream and start receiving; None waits for ever.

        Raises:
            StreamLost: nothing was found within ``timeout_s``.
            BundleError: a live stream lacks a wanted channel.
            RecordingError: a recording cannot be used.
        """
        ...

    def pull(self, timeout_s: float) -> Batch | None:
        """Return what arrived, at once if something has; None if nothing came within ``timeout_s``.

        A batch may hold no samples but events or markers. Its samples may be a view that is valid
        until the next call. ``first <= known_at <= first + len(samples)`` for its markers and
        events.

        Raises:
            StreamEnded: a recording is over.
        """
        ...

    def lsl_time(self, sample_index: int) -> float:
        """Return the time of a sample on the fitted line, in seconds of the host's LSL clock.

        In a recording it is the recorder's clock. Indices not yet received are extrapolated.
        """
        ...

    def close(self) -> None:
        """Stop receiving and free what is held; may be called twice."""
        ...


def drain(source: Source) -> Iterator[Batch]:
    """Yield every batch of an opened source that ends; each is valid until the next."""
    while True:
        try:
            batch = source.pull(1.0)
        except StreamEnded:
            return
        if batch is not None:
            yield batch
