"""One LSL inlet: what the stream says of itself, its samples into memory of ours, its clock offset.

liblsl's own recovery is off: it would hide an outage (it goes on as if connected) and hand out
samples of before and after without a word. A lost stream raises ``StreamLost`` here; finding it
again is the source's.
"""

from __future__ import annotations

import ctypes
import statistics
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import pylsl
from pylsl.util import LostError, handle_error

from pipeline.errors import BundleError, StreamLost

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS: dict[int, tuple[str, Any]] = {
    pylsl.cf_float32: ("float32", np.float32),
    pylsl.cf_double64: ("double64", np.float64),
    pylsl.cf_int8: ("int8", np.int8),
    pylsl.cf_int16: ("int16", np.int16),
    pylsl.cf_int32: ("int32", np.int32),
    pylsl.cf_int64: ("int64", np.int64),
}
_POINTER = ctypes.c_void_p
_PULL_CHUNK = ctypes.CFUNCTYPE(
    ctypes.c_ulong,  # values written
    _POINTER,  # inlet
    _POINTER,  # values
    _POINTER,  # stamps
    ctypes.c_ulong,  # room for values
    ctypes.c_ulong,  # room for stamps
    ctypes.c_double,  # timeout, s
    _POINTER,  # error code
)
"""``lsl_pull_chunk_*``: called straight, for pylsl's own way to it costs as much as our filters."""

OPEN_WITHIN_S = 5.0
OFFSET_EVERY_S = 1.0
OFFSETS_KEPT = 9
RIVALS_S = 1.0
"""How long other streams have to answer that they match too."""

SILENT_S = 5.0
"""After how long without a sample it is asked whether the outlet is still there."""

BUFFERED_S = 360
"""How much liblsl may hold for us; the ring is far shorter, so an overrun is ours to count."""


def resolve(predicate: str, timeout_s: float) -> pylsl.StreamInfo | None:
    """Return the first stream that matches, by name, source and identity; None if there is none."""
    found = pylsl.resolve_bypred(predicate, 1, timeout_s)
    found.sort(key=lambda info: (info.name(), info.source_id(), info.uid()))
    return found[0] if found else None


class NumericInlet:
    """An inlet of numbers, connected; used from one thread but for the offset.

    Raises:
        StreamLost: it went away while it was being opened.
        BundleError: its format is not numeric, or it has no regular rate.
    """

    def __init__(self, found: pylsl.StreamInfo) -> None:
        self._inlet = pylsl.StreamInlet(found, max_buflen=BUFFERED_S, recover=False)
        try:
            self.info = self._inlet.info(OPEN_WITHIN_S)
            self._inlet.open_stream(OPEN_WITHIN_S)
        except (LostError, TimeoutError) as error:
            raise StreamLost(f"{found.name()}: could not be opened ({error})") from None
        self.name: str = self.info.name()
        self.rate_hz: float = self.info.nominal_srate()
        n_channels = self.info.channel_count()
        if self.info.channel_format() not in FORMATS or n_channels < 1:
            raise BundleError(f"{self.name}: its samples are not numbers, wanted an EEG stream")
        if not self.rate_hz > 0:
            raise BundleError(f"{self.name}: has no regular rate, wanted one")
        self.channel_format, dtype = FORMATS[self.info.channel_format()]
        self.labels = _described(self.info, "label")
        self.units = _described(self.info, "unit")
        self.offset = OffsetKeeper(self._inlet)
        # Room for a second at once; more than that waits in liblsl for the next pull.
        self._values = np.empty((max(64, round(self.rate_hz)), n_channels), dtype=dtype)
        self._stamps = np.empty(len(self._values))
        self._values_at, self._stamps_at = self._values.ctypes.data, self._stamps.ctypes.data
        address = ctypes.cast(self._inlet.do_pull_chunk, _POINTER).value
        if address is None:
            raise RuntimeError("liblsl has no function to pull this format with")
        self._pull_chunk = _PULL_CHUNK(address)
        self._error = ctypes.c_int()

    def pull(self, timeout_s: float, n_wanted: int = 1) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return ``(n_samples, n_channels)`` and raw stamps as soon as ``n_wanted`` are there.

        After ``timeout_s``, what there is. Where one is wanted, all that have come. Both arrays are
        valid until the next call.

        Raises:
            StreamLost: the outlet has gone.
        """
        n_samples = self._pull(0, min(n_wanted, len(self._values)), timeout_s)
        if n_wanted == n_samples == 1:
            n_samples += self._pull(1, len(self._values) - 1, 0.0)
        return self._values[:n_samples], self._stamps[:n_samples]

    def _pull(self, at: int, n_most: int, timeout_s: float) -> int:
        """Fill rows from ``at`` on, in one call of liblsl that waits for all; return how many."""
        n_channels: int = self._values.shape[1]
        n_values: int = self._pull_chunk(
            self._inlet.obj,
            self._values_at + at * self._values.strides[0],
            self._stamps_at + at * self._stamps.strides[0],
            n_most * n_channels,
            n_most,
            timeout_s,
            ctypes.byref(self._error),
        )
        try:
            handle_error(self._error)
        except LostError:
            raise StreamLost(f"{self.name}: the outlet has gone") from None
        return n_values // n_channels

    def close(self) -> None:
        """Disconnect."""
        self.offset.stop()
        self._inlet.close_stream()


class MarkerInlet:
    """An inlet of markers, connected; numbers are taken as their digits, of several the first.

    Raises:
        StreamLost: it went away while it was being opened.
    """

    def __init__(self, found: pylsl.StreamInfo) -> None:
        self._inlet = pylsl.StreamInlet(found, max_buflen=BUFFERED_S, recover=False)
        try:
            self._inlet.open_stream(OPEN_WITHIN_S)
        except (LostError, TimeoutError) as error:
            raise StreamLost(f"{found.name()}: could not be opened ({error})") from None
        self.name: str = found.name()
        self.offset = OffsetKeeper(self._inlet)

    def pull(self) -> list[tuple[str, float]]:
        """Return the markers that are there, each with its raw stamp.

        Raises:
            StreamLost: the outlet has gone.
        """
        try:
            values, stamps = self._inlet.pull_chunk(timeout=0.0, as_numpy=True)
        except LostError:
            raise StreamLost(f"{self.name}: the outlet has gone") from None
        return [(_marker_text(v[0]), float(t)) for v, t in zip(values, stamps, strict=True)]

    def close(self) -> None:
        """Disconnect."""
        self.offset.stop()
        self._inlet.close_stream()


class OffsetKeeper:
    """What to add to a stream's stamps to be on this host's clock, measured on a thread of its own.

    A median over the last few measurements: one over a busy network may be off by milliseconds.

    The first measurement may take seconds on a network; nobody who moves samples waits for it.
    """

    def __init__(self, inlet: pylsl.StreamInlet) -> None:
        self._inlet = inlet
        self._stopping = threading.Event()
        self._measured: deque[float] = deque(maxlen=OFFSETS_KEPT)
        self.seconds: float | None = None
        self._thread = threading.Thread(target=self._run, name="lsl-offset", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._measured.append(self._inlet.time_correction(OFFSET_EVERY_S))
                self.seconds = statistics.median(self._measured)
            except TimeoutError:
                continue
            except LostError:
                return
            self._stopping.wait(OFFSET_EVERY_S)

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()


class RivalCount:
    """Counts, on a thread of its own, how many streams match: one of several is taken all the same.

    The first look ends with the first stream that answers, so the others are not known then.
    """

    def __init__(self, predicate: str) -> None:
        self._predicate = predicate
        self._n_matching = 0
        threading.Thread(target=self._look, name="lsl-rivals", daemon=True).start()

    def _look(self) -> None:
        # More are asked for than there can be, so that all have time to answer.
        self._n_matching = len(pylsl.resolve_bypred(self._predicate, 1 << 16, RIVALS_S))

    def take(self) -> int:
        """Return how many match, once, where several do; else 0."""
        n_matching, self._n_matching = self._n_matching, 0
        return n_matching if n_matching > 1 else 0


class OutletWatch:
    """Asks, on a thread of its own, whether an outlet that has fallen silent is still there.

    A host that is unplugged closes no connection, so liblsl waits for it for ever.
    """

    def __init__(self, uid: str) -> None:
        self._predicate = f"uid='{uid}'"
        self._heard_s = time.monotonic()
        self._thread: threading.Thread | None = None
        self._n_missed = 0

    def heard(self) -> None:
        """Take that a sample came."""
        self._heard_s = time.monotonic()
        self._n_missed = 0

    def has_gone(self) -> bool:
        """Say whether it is silent and two looks for it have found nothing; never waits."""
        if time.monotonic() - self._heard_s < SILENT_S:
            return False
        if self._thread is None or not self._thread.is_alive():
            if self._n_missed >= 2:
                return True
            self._thread = threading.Thread(target=self._look, name="lsl-watch", daemon=True)
            self._thread.start()
        return False

    def _look(self) -> None:
        if resolve(self._predicate, SILENT_S / 2) is None:
            self._n_missed += 1
        else:
            self._n_missed = 0
            time.sleep(SILENT_S / 2)  # it is there, and only silent: ask again, but not at once


def _marker_text(value: bytes | float) -> str:
    """Return a marker's text; ``5.0`` is ``5``, and bytes that are no UTF-8 are replaced."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return f"{value:.0f}" if float(value).is_integer() else str(value)


def _described(info: pylsl.StreamInfo, what: str) -> tuple[str, ...]:
    """Return one text a channel from the description; counted names for missing labels."""
    texts = []
    channel = info.desc().child("channels").child("channel")
    for _ in range(info.channel_count()):
        texts.append("" if channel.empty() else channel.child_value(what))
        channel = channel.next_sibling("channel")
    if what == "label":
        return tuple(text or f"ch{k + 1}" for k, text in enumerate(texts))
    return tuple(texts)
