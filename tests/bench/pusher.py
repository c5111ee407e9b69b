"""A headset at its steadiest: pushes EEG into LSL at exact deadlines, and keeps when it did.

Sample ``j`` carries the stamp ``began_s + j / rate_hz``. A chunk is pushed when its last sample is
due; the local clock just before the push goes into ``pushes.f64`` (one per chunk), which others may
read while this runs.

    python -m tests.bench.pusher --source-id S --chunk 10 --seconds 60 --folder F [--bundle B]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pylsl import StreamInfo, StreamOutlet, cf_float32, local_clock

from models.bundle import load_bundle
from tests.bench.reference_bundle import CHANNELS, RATE_HZ

PUSHES = "pushes.f64"
STARTED = "pusher.json"
NOISE_S = 8
LEAD_S = 0.5
"""The first deadline is so far ahead that all is ready by then."""


@dataclass(frozen=True)
class Headset:
    """What is offered: the reference stream, unless a bundle says otherwise."""

    rate_hz: float = RATE_HZ
    channels: tuple[str, ...] = CHANNELS

    @classmethod
    def for_bundle(cls, path: Path) -> Headset:
        """Return the headset that a bundle wants."""
        spec = load_bundle(path).manifest.pipeline
        return cls(spec.rate_hz, spec.channels)


def make_outlet(headset: Headset, source_id: str) -> StreamOutlet:
    """Return an EEG outlet in microvolts."""
    n_channels = len(headset.channels)
    info = StreamInfo("bench", "EEG", n_channels, headset.rate_hz, cf_float32, source_id)
    channels = info.desc().append_child("channels")
    for label in headset.channels:
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts")
        channel.append_child_value("type", "EEG")
    return StreamOutlet(info, chunk_size=0, max_buffered=30)


def push(
    outlet: StreamOutlet, headset: Headset, *, chunk: int, pushes: np.memmap, folder: Path
) -> None:
    """Push until ``pushes`` is full or SIGTERM comes."""
    rng = np.random.default_rng(0)
    rate_hz = headset.rate_hz
    n_noise = round(NOISE_S * rate_hz) // chunk * chunk
    noise = (20 * rng.standard_normal((n_noise, len(headset.channels)))).astype(np.float32)
    began_s = local_clock() + LEAD_S
    partial = folder / f".{STARTED}.partial"
    partial.write_text(json.dumps({"began_s": began_s, "rate_hz": rate_hz, "chunk": chunk}))
    partial.replace(folder / STARTED)
    offsets = np.arange(chunk)
    for k in range(len(pushes)):
        first = k * chunk
        stamps = (began_s + (first + offsets) / rate_hz).tolist()
        samples = noise[first % n_noise : first % n_noise + chunk]
        while (wait_s := stamps[-1] - local_clock()) > 0:
            time.sleep(wait_s)
        pushes[k] = local_clock()
        outlet.push_chunk(samples, stamps)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source-id", required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--bundle", type=Path, help="push the channels that this bundle reads")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # the kernel keeps what is mapped
    headset = Headset.for_bundle(options.bundle) if options.bundle else Headset()
    n_chunks = round(options.seconds * headset.rate_hz) // options.chunk
    pushes = np.memmap(options.folder / PUSHES, dtype=np.float64, mode="w+", shape=(n_chunks,))
    pushes[:] = np.nan  # every page is there before the clock matters
    outlet = make_outlet(headset, options.source_id)
    gc.disable()
    push(outlet, headset, chunk=options.chunk, pushes=pushes, folder=options.folder)


if __name__ == "__main__":
    main()
