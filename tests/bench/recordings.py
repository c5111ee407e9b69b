"""A long recording of the reference stream, made on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runtime.recordings.xdf_writer import XdfWriter, stream_header
from tests.bench.reference_bundle import CHANNELS, RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_SAMPLES = 50
FIRST_STAMP_S = 1000.0


def write_reference_recording(path: Path, *, seconds: float) -> Path:
    """Write an XDF of 128 channels of noise at 500 Hz and return its path."""
    header = stream_header(
        name="bench",
        kind="EEG",
        rate_hz=RATE_HZ,
        channel_format="float32",
        channels=CHANNELS,
        unit="microvolts",
        source_id="bench",
    )
    rng = np.random.default_rng(0)
    writer = XdfWriter(path)
    stream = writer.add_stream(header, channel_format="float32", n_channels=len(CHANNELS))
    for first in range(0, round(seconds * RATE_HZ), CHUNK_SAMPLES):
        values = (20 * rng.standard_normal((CHUNK_SAMPLES, len(CHANNELS)))).astype(np.float32)
        stamps = FIRST_STAMP_S + (first + np.arange(CHUNK_SAMPLES)) / RATE_HZ
        writer.write_samples(stream, values, stamps)
    writer.close()
    return path
