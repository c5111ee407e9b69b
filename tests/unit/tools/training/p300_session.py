"""A short simulated P300 session on disk: two rows and two columns that flash."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

RATE_HZ = 100.0
GROUPS = {"r0": ["A", "B"], "r1": ["C", "D"], "c0": ["A", "C"], "c1": ["B", "D"]}
FLASH_SAMPLES = 30


def write_p300_layout(path: Path) -> Path:
    path.write_text(json.dumps({"kind": "p300", "groups": GROUPS}))
    return path


def write_p300_session(
    path: Path, *, text: str, n_rounds: int = 8, amplitude: float = 4.0, seed: int = 0
) -> Path:
    """Write ``path`` (.npy) and its sidecar: a bump 0.2 to 0.4 s after what holds the symbol."""
    rng = np.random.default_rng(seed)
    n_flashes = len(text) * n_rounds * len(GROUPS)
    n_samples = (n_flashes + 4) * FLASH_SAMPLES + 20 * len(text)
    samples = rng.standard_normal((n_samples, 3)).astype(np.float32)
    markers, at = [], FLASH_SAMPLES
    for symbol in text:
        markers += [{"sample": at, "text": t} for t in ("trial:start", f"label:{symbol}")]
        for _ in range(n_rounds):
            for group in rng.permutation(list(GROUPS)):
                markers.append({"sample": at, "text": f"stim:{group}"})
                if symbol in GROUPS[group]:
                    samples[at + 20 : at + 40, :2] += amplitude * np.hanning(20)[:, None]
                at += FLASH_SAMPLES
        markers.append({"sample": at + 15, "text": "trial:end"})
        at += 20
    np.save(path, samples)
    sidecar = {"rate_hz": RATE_HZ, "channels": ["Fz", "Cz", "Pz"], "markers": markers}
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path
