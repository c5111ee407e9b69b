"""How each channel looks of late: rest amplitude, mains hum, flatness, rails.

Only matrix products over the last seconds: cheap enough to run beside the decoding each second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from runtime.wire.messages import Quality

if TYPE_CHECKING:
    from pipeline.values import Samples

MAINS_HZ = (50.0, 60.0)
FLAT_UV = 0.05
NOISY_UV = 200.0
NOISY_LINE_SHARE = 0.6
CLIPPED_SHARE = 0.05

State = Literal["good", "noisy", "flat", "clipped", "missing"]


def channel_quality(
    samples: Samples, *, channels: tuple[str, ...], rate_hz: float
) -> tuple[Quality, ...]:
    """Return the quality of every channel over ``samples``, ``(n_samples, n_channels)`` raw µV."""
    if len(samples) < 2:
        return ()
    finite = np.isfinite(samples)
    clean = np.where(finite, samples, 0.0)
    clean = clean - clean.mean(axis=0)
    power = np.einsum("ij,ij->j", clean, clean) / len(clean)
    line = np.zeros_like(power)
    seconds = np.arange(len(clean)) / rate_hz
    for hz in MAINS_HZ:
        if hz < rate_hz / 2:
            wave = np.exp(-2j * np.pi * hz * seconds)
            cosine = wave.real.astype(np.float32) @ clean
            sine = wave.imag.astype(np.float32) @ clean
            line = np.maximum(line, 2.0 * (cosine**2 + sine**2) / len(clean) ** 2)
    at_rail = (samples == samples.max(axis=0)) | (samples == samples.min(axis=0))
    clipped = at_rail.mean(axis=0)
    present = finite.mean(axis=0)
    rows = []
    for k, name in enumerate(channels):
        rms_uv = float(np.sqrt(power[k]))
        share = float(min(1.0, line[k] / power[k])) if power[k] > 0 else 0.0
        state = _state(rms_uv, share, float(clipped[k]), float(present[k]))
        rows.append(Quality(channel=name, state=state, rms_uv=rms_uv, line_share=share))
    return tuple(rows)


def _state(rms_uv: float, line_share: float, clipped: float, present: float) -> State:
    if present < 0.5:
        return "missing"
    if rms_uv < FLAT_UV:
        return "flat"
    if clipped > CLIPPED_SHARE:
        return "clipped"
    if rms_uv > NOISY_UV or line_share > NOISY_LINE_SHARE:
        return "noisy"
    return "good"
