"""Simulated SSVEP sessions as recordings on disk: trials joined with steps, as real ones are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from tests.unit.models.ssvep_data import FREQUENCIES_HZ, RATE_HZ, simulate

if TYPE_CHECKING:
    from pathlib import Path

SYMBOLS = ("A", "B", " ", "x:y", "<backspace>", "é")
TRIAL_SAMPLES = 290
DELAY_SAMPLES = 35


def write_layout(path: Path, **changes: object) -> Path:
    """Write the layout of :data:`SYMBOLS`."""
    symbols = [
        {"symbol": s, "frequency_hz": f, "phase_rad_over_pi": k % 2}
        for k, (s, f) in enumerate(zip(SYMBOLS, FREQUENCIES_HZ, strict=True))
    ]
    path.write_text(json.dumps({"kind": "ssvep", "symbols": symbols} | changes))
    return path


def write_session(
    path: Path,
    *,
    seed: int,
    n_repeats: int = 4,
    amplitude: float = 1.0,
    rate_hz: float = RATE_HZ,
    channels: tuple[str, ...] = ("O1", "Oz", "O2", "PO3", "PO4"),
    symbols: tuple[str, ...] = SYMBOLS,
    stimulus: str = "stim:on",
) -> Path:
    """Write ``path`` (.npy) with its sidecar: EEG, trial, stimulus and label markers."""
    n_samples = TRIAL_SAMPLES - DELAY_SAMPLES
    windows, labels = simulate(
        n_repeats=n_repeats, seed=seed, amplitude=amplitude,
        n_channels=len(channels), n_samples=n_samples,
    )  # fmt: skip
    trials = np.pad(windows, ((0, 0), (DELAY_SAMPLES, 0), (0, 0)), mode="edge")
    markers = []
    for k, label in enumerate(labels):
        start = k * TRIAL_SAMPLES
        texts = ("trial:start", f"label:{symbols[label]}", stimulus)
        markers += [{"sample": start, "text": text} for text in texts]
        markers.append({"sample": start + TRIAL_SAMPLES - 1, "text": "trial:end"})
    np.save(path, trials.reshape(-1, len(channels)))
    sidecar = {"rate_hz": rate_hz, "channels": channels, "markers": markers}
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path
