from __future__ import annotations

import numpy as np

from runtime.quality import channel_quality

CHANNELS = ("good", "flat", "hum", "loud", "rail", "gone")


def test_each_kind_of_channel_is_told() -> None:
    rng = np.random.default_rng(0)
    seconds = np.arange(500) / 250
    good = 10 * rng.standard_normal(500)
    samples = np.stack(
        [
            good,
            np.full(500, 40_000.0),
            good + 60 * np.sin(2 * np.pi * 50 * seconds),
            1000 * rng.standard_normal(500),
            np.clip(50 * rng.standard_normal(500), -40, 40),
            np.full(500, np.nan),
        ],
        axis=1,
    ).astype(np.float32)
    rows = channel_quality(samples, channels=CHANNELS, rate_hz=250.0)
    assert [r.state for r in rows] == ["good", "flat", "noisy", "noisy", "clipped", "missing"]
    assert abs((rows[0].rms_uv or 0) - 10) < 1
    assert (rows[2].line_share or 0) > 0.9


def test_too_little_says_nothing() -> None:
    assert channel_quality(np.zeros((1, 6), np.float32), channels=CHANNELS, rate_hz=250.0) == ()
