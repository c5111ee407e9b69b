"""Recordings for tests, made on the spot: noise and markers, written as XDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runtime.recordings.xdf_writer import XdfWriter, stream_header
from tests.bundles import CHANNELS, RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    """Return EEG-sized noise, ``(n_samples, n_channels)`` float32 µV."""
    rng = np.random.default_rng(seed)
    return (20 * rng.standard_normal((n_samples, len(CHANNELS)))).astype(np.float32)


def trial_markers(n_samples: int, step: int = 200) -> list[tuple[int, str]]:
    """Return trials with one stimulus each, as ``(index, text)``."""
    markers: list[tuple[int, str]] = []
    for k, start in enumerate(range(20, n_samples - step, step)):
        label = "AB "[k % 3]
        markers += [
            (start, "trial:start"),
            (start, f"label:{label}"),
            (start + 5, "stim:on"),
            (start + step - 20, "trial:end"),
        ]
    return markers


def write_recording(
    path: Path,
    samples: np.ndarray,
    markers: list[tuple[int, str]] | None = None,
    *,
    stamps: np.ndarray | None = None,
    name: str = "EEG",
) -> Path:
    """Write an XDF file with an EEG stream and, if given, a marker stream."""
    if stamps is None:
        stamps = 1000 + np.arange(len(samples)) / RATE_HZ
    writer = XdfWriter(path)
    header = stream_header(
        name=name,
        kind="EEG",
        rate_hz=RATE_HZ,
        channel_format="float32",
        channels=CHANNELS,
        unit="microvolts",
    )
    eeg = writer.add_stream(header, channel_format="float32", n_channels=len(CHANNELS))
    if markers is not None:
        stream = writer.add_strings(f"{name}-markers")
    for start in range(0, len(samples), 250):
        writer.write_samples(eeg, samples[start : start + 250], stamps[start : start + 250])
    if markers is not None:
        writer.write_strings(
            stream, [t for _, t in markers], [float(stamps[k]) for k, _ in markers]
        )
    writer.close()
    return path
