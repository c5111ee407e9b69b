"""How many windows a second a bundle's model does when several streams are called together.

An exported file takes one window a call. It is read anew for several where its shapes allow it;
where they do not, the row says so, and the network itself, if the bundle holds it, tells what
batching would give.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from models.onnx_backend import REFUSALS, session_options
from pipeline.spec import Settings
from tools.evaluation.passes.batching import widened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.bundle import Bundle
    from runtime.engine import Engine

BUDGET_S = 0.3
"""How long a size is called for, about."""

RUNTIME, TORCH = "ONNX Runtime", "torch"

LEAST_CALLS, MOST_CALLS = 5, 200


class Throughput(Settings, frozen=True, kw_only=True):
    """Windows of ``n_batch`` streams: the median call's milliseconds, and how many a second.

    Both are None where it cannot be done, and ``note`` says why.
    """

    n_batch: int
    how: str
    ms: float | None = None
    windows_per_s: float | None = None
    note: str = ""


def measure_throughput(
    engine: Engine, bundle: Bundle, network: Any | None, sizes: Sequence[int]
) -> tuple[Throughput, ...]:
    """Return rows by size: ONNX Runtime, then torch where there is a network; one thread each.

    Of a network that writes it is the encoder.
    """
    rows = [_one_by_one(engine)]
    rows += [_together(engine, bundle, n) for n in sizes if n > 1]
    if network is not None:
        rows += [_torch(network, bundle, n) for n in sizes]
    return tuple(rows)


def _one_by_one(engine: Engine) -> Throughput:
    model, file = engine.model(), engine.bundle.manifest.model
    window = np.zeros(file.input.shape[1:], np.float32)
    return _row(1, RUNTIME, lambda: model.run(window))


def _together(engine: Engine, bundle: Bundle, n: int) -> Throughput:
    file, how = bundle.manifest.model, RUNTIME
    refused = "the file takes 1 window a call, so each stream has calls of its own"
    if file.state:
        return Throughput(n_batch=n, how=how, note=f"{refused}, and its state")
    options = session_options()
    options.log_severity_level = 4  # a refusal is expected, and told
    try:
        session = ort.InferenceSession(
            widened(bundle.files[file.path], n_rows=n),
            options,
            providers=engine.session.get_providers(),
        )
        given = {file.input.name: np.zeros((n, *file.input.shape[1:]), file.input.dtype)}
        is_whole = len(session.run([file.output.name], given)[0]) == n
    except REFUSALS:
        is_whole = False
    if not is_whole:
        return Throughput(n_batch=n, how=how, note=refused)
    return _row(n, how, lambda: session.run([file.output.name], given))


def _torch(network: Any, bundle: Bundle, n: int) -> Throughput:
    import torch

    file = bundle.manifest.model
    samples = torch.zeros(n, *file.input.shape[1:])
    state = network.initial_state(n) if file.state else ()
    call = network.encode if bundle.manifest.step is not None else network
    with torch.inference_mode():
        return _row(n, TORCH, lambda: call(samples, *state))


def _row(n: int, how: str, call: Callable[[], object]) -> Throughput:
    for _ in range(3):
        call()
    taken: list[float] = []
    while len(taken) < LEAST_CALLS or (sum(taken) < BUDGET_S and len(taken) < MOST_CALLS):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    median = float(np.median(taken))
    return Throughput(n_batch=n, how=how, ms=1e3 * median, windows_per_s=n / median)
