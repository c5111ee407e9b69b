"""Results of benches for tests, with times drawn as a machine's would be."""

from __future__ import annotations

from typing import Any

import numpy as np

from tools.benchmarking.guard import Guard
from tools.benchmarking.results import Against, Agreement, Benched, Result, Row, blocks, spread

N_BLOCKS, N_WINDOWS = 20, 100
TEXTS = [f"text number {k}" for k in range(40)]
SIZES = np.array([len(text) for text in TEXTS])
AGAINST = Against(p50=0.8, p50_low=0.7, p50_high=0.9, p99=0.8, p99_low=0.6, p99_high=1.1)
MISSING = "no CUDA driver or device"


def times(
    median_ms: float, *, seed: int, machine: float = 1.0, n_blocks: int = N_BLOCKS
) -> np.ndarray:
    """Return milliseconds (n_blocks, n_windows): blocks wander by 3 %, calls have a tail."""
    rng = np.random.default_rng(seed)
    level = machine * median_ms * rng.normal(1.0, 0.03, (n_blocks, 1))
    return level * (1.0 + rng.exponential(0.05, (n_blocks, N_WINDOWS)))


def benched(**changes: Any) -> Benched:
    """A bundle that heard 40 simulated texts."""
    settings: dict[str, Any] = {
        "name": "b", "sha256": "1" * 64, "own": "onnx-float32", "head": "ctc", "rate_hz": 250.0,
        "call_s": 0.08, "data": "simulated", "recordings": {}, "unit": "characters",
        "unit_sizes": tuple(SIZES.tolist()), "constant_error": 0.8,
    }  # fmt: skip
    return Benched(**(settings | changes))


def result(
    medians_ms: dict[str, float],
    *,
    seed: int,
    machine: float = 1.0,
    wrong: dict[str, np.ndarray] | None = None,
    described: dict[str, Any] | None = None,
    n_blocks: int = N_BLOCKS,
    bundle: Benched | None = None,
) -> Result:
    """A run in which backends of the bundle have these medians on a machine so many times as slow.

    ``wrong`` are errors by text; none of those not named.
    """
    of = bundle or benched()
    none = np.zeros(len(TEXTS), np.int64)
    guard = Guard(TEXTS, ["p"] * len(TEXTS), SIZES, unit="characters", max_drop=0.005)
    rows = []
    for k, (name, median_ms) in enumerate(medians_ms.items()):
        taken = times(median_ms, seed=100 * seed + k, machine=machine, n_blocks=n_blocks)
        errors = none if k == 0 else (wrong or {}).get(name, none.copy())
        rows.append(
            Row(
                bundle=of.name,
                backend=name,
                opened_s=0.1,
                size_bytes=2_000_000,
                call_ms=spread(taken),
                calls_per_s=float(1e3 / taken.mean()),
                blocks=blocks(taken),
                against_own=AGAINST if k else None,
                stage_ms={n: spread(taken) for n in ("filter", "model", "decode", "total")},
                realtime=300.0,
                agreement=Agreement(estimate=0.99, constant=0.8, n_outputs=600),
                accuracy=guard.judge(errors, none),
            )
        )
    rows.append(Row(bundle=of.name, backend="onnx-cuda", missing=MISSING))
    return Result(
        command="eegscribe bench b.eegb",
        machine=described or {
            "cpu": "a", "cores": 2, "memory_gib": 4.0, "kernel": "k", "governor": "g",
            "python": "3.11", "libraries": {"numpy": "2.4"}, "load_1_5_15": [0.0], "at": "now",
        },
        others_busy=0.1,
        n_blocks=n_blocks,
        n_windows=N_WINDOWS,
        max_drop=0.005,
        bundles=(of,),
        yardstick=blocks(times(0.2, seed=100 * seed + 99, machine=machine, n_blocks=n_blocks)),
        rows=tuple(rows),
    )  # fmt: skip
