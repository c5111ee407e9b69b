"""The filter stage, chunk by chunk, beside scipy and a loop in Python; the ring beside np.roll.

The reference front end: 128 channels, 0.5-40 Hz of order 4 and one notch, float64 state. What is
compared gives the same samples: equality to ``scipy.signal.sosfilt`` is checked to the bit before
anything is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from pipeline.filters import FilterChain
from pipeline.ring import Ring
from tests.bench.command import bench_main
from tests.bench.reference_bundle import CHANNELS, RATE_HZ, reference_spec
from tests.bench.tables import COLUMNS, spread, table

CHUNKS = (1, 10, 20, 100)
HISTORY_S = 6.0
WINDOW_S = 1.0

Step = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def scipy_stage(sos: NDArray[np.float64], first: NDArray[np.float32]) -> Step:
    """Return ``sosfilt`` with carried state, time on its own axis: what most code does."""
    state = signal.sosfilt_zi(sos)[:, :, np.newaxis] * first.astype(np.float64)

    def step(chunk: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal state
        out, state = signal.sosfilt(sos, chunk.astype(np.float64), axis=0, zi=state)
        return out.astype(np.float32)

    return step


def python_stage(sos: NDArray[np.float64], first: NDArray[np.float32]) -> Step:
    """Return a Python loop over samples and sections, numpy over channels."""
    state = signal.sosfilt_zi(sos)[:, :, np.newaxis] * first.astype(np.float64)

    def step(chunk: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.empty(chunk.shape, dtype=np.float32)
        for n, row in enumerate(chunk):
            x = row.astype(np.float64)
            for (b0, b1, b2, _, a1, a2), z in zip(sos, state, strict=True):
                y = b0 * x + z[0]
                z[0] = b1 * x - a1 * y + z[1]
                z[1] = b2 * x - a2 * y
                x = y
            out[n] = x
        return out

    return step


def time_us(
    step: Callable[[NDArray[np.float32]], object], chunks: list[NDArray[np.float32]]
) -> list[float]:
    """Return the microseconds of each call."""
    taken = []
    for chunk in chunks:
        began_ns = time.perf_counter_ns()
        step(chunk)
        taken.append((time.perf_counter_ns() - began_ns) / 1e3)
    return taken


def _chunks(chunk: int, n_calls: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(chunk)
    raw = 500 + 20 * rng.standard_normal((chunk * n_calls, len(CHANNELS)))
    return list(raw.astype(np.float32).reshape(n_calls, chunk, len(CHANNELS)))


def _check_equal(sos: NDArray[np.float64]) -> None:
    chunks = _chunks(10, 20)
    ours = FilterChain(reference_spec(hop_ms=20))
    theirs = scipy_stage(sos, chunks[0][0])
    for chunk in chunks:
        if not np.array_equal(ours.push(chunk), theirs(chunk)):
            raise RuntimeError("the filter stage does not equal scipy.signal.sosfilt")


def filters(n_calls: int) -> dict[str, dict[str, Any]]:
    """Return the spread of microseconds a chunk, by stage and chunk."""
    spec = reference_spec(hop_ms=20)
    sos = np.array(spec.bands[0].sos)
    _check_equal(sos)
    found = {}
    for chunk in CHUNKS:
        chunks = _chunks(chunk, n_calls)
        few = chunks[: max(50, n_calls // (10 * chunk))]
        stages: tuple[tuple[str, Step, list[NDArray[np.float32]]], ...] = (
            ("our filter stage", FilterChain(spec).push, chunks),
            ("scipy sosfilt", scipy_stage(sos, chunks[0][0]), chunks),
            ("Python per sample", python_stage(sos, chunks[0][0]), few),
        )
        for name, step, given in stages:
            found[f"{name}, {chunk} samples"] = spread(time_us(step, given)[10:])
    return found


def rings(n_calls: int) -> dict[str, dict[str, Any]]:
    """Return the spread of microseconds to take a chunk in and see the newest second."""
    n_history, n_window = round(HISTORY_S * RATE_HZ), round(WINDOW_S * RATE_HZ)
    found = {}
    for chunk in CHUNKS:
        ring = Ring(n_history, len(CHANNELS))
        ring.write(np.zeros((n_history, len(CHANNELS)), dtype=np.float32))
        rolled = np.zeros((n_history, len(CHANNELS)), dtype=np.float32)

        def take(piece: NDArray[np.float32], ring: Ring = ring) -> NDArray[np.float32]:
            ring.write(piece)
            return ring.view(ring.n_written - n_window, n_window)

        def roll(piece: NDArray[np.float32]) -> NDArray[np.float32]:
            nonlocal rolled
            rolled = np.roll(rolled, -len(piece), axis=0)
            rolled[-len(piece) :] = piece
            return rolled[-n_window:]

        chunks = _chunks(chunk, n_calls)
        found[f"our ring, {chunk} samples"] = spread(time_us(take, chunks)[10:])
        few = chunks[: max(50, n_calls // 10)]
        found[f"np.roll, {chunk} samples"] = spread(time_us(roll, few)[10:])
    return found


def run(*, quick: bool) -> dict[str, Any]:
    """Measure both; print them."""
    n_calls = 500 if quick else 5000
    figures = {"filter_us": filters(n_calls), "ring_us": rings(n_calls)}
    for title, found in zip(("filter a chunk", "keep a chunk"), figures.values(), strict=True):
        rows = [[name, *(row[c] for c in COLUMNS)] for name, row in found.items()]
        print(table(rows, header=(f"{title} (µs)", *COLUMNS)), end="\n\n", flush=True)
    return figures


def main() -> None:
    """Run this bench alone."""
    bench_main(run)


if __name__ == "__main__":
    main()
