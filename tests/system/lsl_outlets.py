"""Outlets of EEG and of markers in this process, and what a source hears of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pylsl

from pipeline.values import Batch, Event, Marker
from runtime.lsl.source import LslSource
from runtime.source import StreamInfo

RATE_HZ = 250.0
LABELS = ("Fz", "Cz", "Pz")


@dataclass
class Heard:
    """What a source gave, checked as it came."""

    info: StreamInfo | None = None
    samples: list[np.ndarray] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    n_samples: int = 0

    def add(self, batch: Batch) -> None:
        assert batch.first == self.n_samples
        assert batch.samples.dtype == np.float32
        self.n_samples += len(batch.samples)
        for given in (*batch.markers, *batch.events):
            assert batch.first <= given.known_at <= self.n_samples
        if len(batch.samples):
            assert batch.stamp_ns is not None
            assert batch.received_ns is not None
            self.samples.append(batch.samples.copy())
        self.markers += batch.markers
        self.events += batch.events

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def values(self) -> np.ndarray:
        return np.concatenate(self.samples)


def hear(source: LslSource, until: Callable[[Heard], bool], *, within_s: float = 20.0) -> Heard:
    """Pull from an opened source until ``until``; fail after ``within_s``."""
    heard = Heard()
    pull(source, heard, until, within_s=within_s)
    return heard


def pull(
    source: LslSource, heard: Heard, until: Callable[[Heard], bool], *, within_s: float = 20.0
) -> None:
    end_s = time.monotonic() + within_s
    while not until(heard):
        assert time.monotonic() < end_s, (heard.n_samples, heard.kinds(), heard.markers[-3:])
        batch = source.pull(0.05)
        if batch is not None:
            heard.add(batch)


def lost(heard: Heard) -> bool:
    return "stream_lost" in heard.kinds()


class Headset:
    """An outlet of three channels whose values count the samples pushed."""

    def __init__(
        self,
        name: str,
        *,
        channel_format: int = pylsl.cf_float32,
        labels: tuple[str, ...] = LABELS,
        unit: str = "microvolts",
        rate_hz: float = RATE_HZ,
        source_id: str | None = None,
    ) -> None:
        info = pylsl.StreamInfo(
            name, "EEG", len(labels), rate_hz, channel_format, source_id or name
        )
        channels = info.desc().append_child("channels")
        for label in labels:
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info)
        self._n_channels = len(labels)
        self.n_pushed = 0
        self.began_s = pylsl.local_clock()

    def push(self, n_samples: int, *, skip: int = 0) -> None:
        """Push the next samples with exact stamps, after ``skip`` that are never sent."""
        self.n_pushed += skip
        counts = np.arange(self.n_pushed, self.n_pushed + n_samples)
        self.n_pushed += n_samples
        values = (
            np.repeat(counts[:, None], self._n_channels, axis=1) + np.arange(self._n_channels) / 4
        )
        stamps = self.began_s + counts / RATE_HZ
        assert self._outlet is not None
        dtype = np.float32
        self._outlet.push_chunk(values.astype(dtype).tolist(), stamps.tolist())

    def wait(self) -> None:
        assert self._outlet is not None
        assert self._outlet.wait_for_consumers(20)

    def close(self) -> None:
        self._outlet = None


class Stimuli:
    """A marker outlet."""

    def __init__(self, name: str, channel_format: int = pylsl.cf_string) -> None:
        self._outlet = pylsl.StreamOutlet(
            pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, channel_format, name)
        )

    def push(self, value: str | int, stamp: float) -> None:
        self._outlet.push_sample([value], stamp)

    def wait(self) -> None:
        assert self._outlet.wait_for_consumers(20)
