"""How fast a recording went through the chain, and how long after its last sample a final came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.values import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.values import Output, Times

STAGES = ("filter", "model", "decode")
PERCENTILES = (50, 95, 99)


class Speed:
    """What one pass took, by the wall; ``elapsed_s`` is spent in the chain alone.

    Args:
        rate_hz: of the recording.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._n_samples = 0
        self._elapsed_ns = 0
        self._times: list[tuple[int, int, int]] = []
        self._delays: list[int] = []

    def add(self, n_samples: int, elapsed_ns: int) -> None:
        """Take that so many samples took so long."""
        self._n_samples += n_samples
        self._elapsed_ns += elapsed_ns

    def add_decode(self, times: Times) -> None:
        """Take the stages of one window."""
        self._times.append((times.filter_ns, times.model_ns, times.decode_ns))

    def hear(self, output: Output, n_samples: int) -> None:
        """Take what the chain gave once it had ``n_samples``."""
        if isinstance(output, Text) and output.kind == "final":
            self._delays.append(n_samples - output.samples[1])

    @property
    def recorded_s(self) -> float:
        """How long the recording is."""
        return self._n_samples / self._rate_hz

    @property
    def elapsed_s(self) -> float:
        """How long it took."""
        return self._elapsed_ns / 1e9

    @property
    def delays_s(self) -> list[float]:
        """How long after the last sample of each final it came, in the stream's time."""
        return [n / self._rate_hz for n in self._delays]

    @property
    def times_ms(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Milliseconds of each window that was decoded alone, ``(n_windows, n_stages)``."""
        return np.array(self._times, dtype=np.float64).reshape(-1, len(STAGES)) / 1e6


def told(speeds: Sequence[Speed]) -> dict[str, Any]:
    """Return the figures of several passes as JSON: each window's stages, and the throughput."""
    times = np.concatenate([one.times_ms for one in speeds])  # (n_windows, n_stages)
    delays = np.array([delay for one in speeds for delay in one.delays_s])
    stages = {name: times[:, k] for k, name in enumerate(STAGES)} | {"total": times.sum(axis=1)}
    found = throughput(speeds)
    return {
        "realtime_factor": found["realtime_factor"],
        "latency_ms": {name: spread(values) for name, values in stages.items() if len(values)},
        "throughput": {
            **found,
            "windows_timed": len(times),
            "seconds_from_last_sample_to_final": spread(delays) if len(delays) else None,
        },
    }


def throughput(speeds: Sequence[Speed]) -> dict[str, float]:
    """Return how long the recordings are, how long they took, and the quotient."""
    recorded_s = sum(one.recorded_s for one in speeds)
    elapsed_s = sum(one.elapsed_s for one in speeds)
    return {
        "recorded_s": recorded_s,
        "elapsed_s": elapsed_s,
        "realtime_factor": recorded_s / max(elapsed_s, 1e-9),
    }


def spread(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, float]:
    """Return percentiles and maximum of at least one value."""
    found = np.percentile(values, PERCENTILES)
    named = {f"p{p}": float(value) for p, value in zip(PERCENTILES, found, strict=True)}
    return {**named, "max": float(values.max())}
