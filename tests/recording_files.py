"""Small recordings written on the spot, and what reading one must keep to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RecordingError
from pipeline.values import Event, Marker
from runtime.recordings.source import RecordingSource
from runtime.recordings.xdf_writer import XdfWriter, stream_header
from runtime.source import drain

RATE_HZ = 100.0
LABELS = ("Fz", "Cz", "Pz")


def eeg(n_samples: int = 400, *, seed: int = 3) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 20, (n_samples, len(LABELS))).astype(np.float32)


def write(
    path: Path,
    *,
    values: NDArray[np.generic] | None = None,
    stamps: NDArray[np.float64] | None = None,
    markers: list[tuple[str, float]] | None = None,
    labels: tuple[str, ...] = LABELS,
    unit: str = "microvolts",
    channel_format: str = "float32",
    kind: str = "EEG",
    n_chunk: int = 32,
    offsets: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], []),
) -> Path:
    """Write a foreign XDF file; ``offsets`` are clock offsets of EEG and markers."""
    values = eeg() if values is None else values
    stamps = 50.0 + np.arange(len(values)) / RATE_HZ if stamps is None else stamps
    markers = (
        [("stim:on", 51.0), ("label: a", 51.0), ("trial:end", 52.5)] if markers is None else markers
    )
    writer = XdfWriter(path, overwrite=True)
    header = stream_header(
        name="cap", kind=kind, rate_hz=RATE_HZ, channel_format=channel_format, unit=unit,
        channels=labels, n_channels=values.shape[1],
    )  # fmt: skip
    first = writer.add_stream(header, channel_format=channel_format, n_channels=values.shape[1])
    second = writer.add_strings("marks")
    for start in range(0, len(values), n_chunk):
        stop = start + n_chunk
        writer.write_samples(first, values[start:stop], stamps[start:stop])
    for text, stamp in markers:
        writer.write_strings(second, [text], [stamp])
    for number, measured in ((first, offsets[0]), (second, offsets[1])):
        for at_s, offset_s in measured:
            writer.write_clock_offset(number, at_s, offset_s)
    writer.close()
    return path


def read(source: RecordingSource) -> tuple[NDArray[np.float32], list[Marker], list[Event]]:
    """Drain a source, and check what every batch promises."""
    source.open(None)
    samples, markers, events = [], [], []
    n_samples = 0
    for batch in drain(source):
        assert batch.first == n_samples
        assert batch.samples.dtype == np.float32
        assert batch.samples.flags.c_contiguous
        n_samples += len(batch.samples)
        for given in (*batch.markers, *batch.events):
            assert batch.first <= given.known_at <= n_samples
        samples.append(batch.samples.copy())
        markers += batch.markers
        events += batch.events
    source.close()
    return np.concatenate(samples), markers, events


def refused_or_read(path: Path) -> bool:
    """Read a damaged file; True if it was refused, and by one short sentence."""
    try:
        source = RecordingSource(path)
        source.open(None)
        for _ in drain(source):
            pass
    except RecordingError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 600
        return True
    return False
