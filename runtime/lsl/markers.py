"""The marker stream beside an EEG stream: found, lost and found again without the EEG waiting."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from pipeline.errors import StreamLost
from runtime.lsl.inlet import MarkerInlet, RivalCount, resolve

LOOK_S = 0.25
"""How long one look for a stream takes, and the pause before the next."""

OFFSET_WITHIN_S = 5.0
"""How long a marker waits for the clocks to be compared; then the offset is taken as nothing."""

AHEAD_WITHIN_S = 2.0
"""How long a marker waits for the samples of its time, while others arrive."""

MOST_HELD = 1 << 14
"""Markers that may wait for EEG: a stimulus program may run all night without a headset."""


@dataclass(frozen=True, slots=True)
class RawMarker:
    """A marker as it came: its text, its raw stamp, and when it came by the monotonic clock."""

    text: str
    stamp: float
    arrived_s: float


class MarkerReader:
    """Holds the markers of one stream until the EEG's line can place them.

    Used from the thread that reads EEG; the stream is sought on a thread of its own, for as long as
    it takes, again and again.
    """

    def __init__(self, wanted: str) -> None:
        self._predicate = wanted
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._inlet: MarkerInlet | None = None
        self._held: deque[RawMarker] = deque()
        self._offset_s: float | None = None
        self._rivals: RivalCount | None = None
        self.n_dropped = 0

    def start(self) -> None:
        """Begin to look; may be called twice."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lsl-markers", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._inlet is None:
                found = resolve(self._predicate, LOOK_S)
                if found is not None and not self._stopping.is_set():
                    try:
                        self._inlet = MarkerInlet(found)
                    except StreamLost:
                        continue
                    self._rivals = RivalCount(self._predicate)
            self._stopping.wait(LOOK_S)

    def rivals(self) -> tuple[str, int]:
        """Return the name of the stream heard and, once, how many match; 0 where no other does."""
        inlet, rivals = self._inlet, self._rivals
        return ("", 0) if inlet is None or rivals is None else (inlet.name, rivals.take())

    @property
    def offset_s(self) -> float | None:
        """What to add to a marker's stamp for this host's clock; None until it is measured."""
        inlet = self._inlet
        if inlet is not None and inlet.offset.seconds is not None:
            self._offset_s = inlet.offset.seconds
        return self._offset_s

    @property
    def n_waiting(self) -> int:
        """How many markers are held."""
        return len(self._held)

    @property
    def waited_s(self) -> float:
        """How long the oldest held marker has been waiting."""
        return time.monotonic() - self._held[0].arrived_s if self._held else 0.0

    def hear(self) -> None:
        """Take in what has arrived."""
        inlet = self._inlet
        if inlet is None:
            return
        now_s = time.monotonic()
        try:
            arrived = inlet.pull()
        except StreamLost:
            inlet.close()
            self._inlet = None
            return
        self._held.extend(RawMarker(text, stamp, now_s) for text, stamp in arrived)
        while len(self._held) > MOST_HELD:
            self._held.popleft()
            self.n_dropped += 1

    def take(self, *, until_s: float, goes_on: bool) -> list[tuple[RawMarker, float]]:
        """Return the held markers up to a time on this host's clock, in order, with that time.

        Nothing is returned before the clocks are compared, unless that takes too long. While
        samples come (``goes_on``), a marker whose clock is ahead waits for them only a moment.
        """
        offset_s = self.offset_s
        taken: list[tuple[RawMarker, float]] = []
        while self._held:
            marker = self._held[0]
            waited_s = time.monotonic() - marker.arrived_s
            if offset_s is None and waited_s < OFFSET_WITHIN_S:
                break
            time_s = marker.stamp + (offset_s or 0.0)
            if time_s > until_s and not (goes_on and waited_s > AHEAD_WITHIN_S):
                break
            taken.append((self._held.popleft(), time_s))
        return taken

    def stop(self) -> None:
        """End the thread and disconnect."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        if self._inlet is not None:
            self._inlet.close()
            self._inlet = None
