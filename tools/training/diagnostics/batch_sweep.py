"""Memory and time of one training step against how many examples it learns from."""

from __future__ import annotations

import time
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch

from pipeline.errors import UsageError
from tools.training.diagnostics.memory import peak_bytes, reset_peak, resident_bytes
from tools.training.diagnostics.record import BatchSize

if TYPE_CHECKING:
    from torch import Tensor

    from tools.training.data.examples import Examples
    from tools.training.learner import Learner


N_TIMED = 3
"""Steps of each size; the fastest counts."""


def sweep(
    learner: Learner, examples: Examples, sizes: tuple[int, ...], *, device: torch.device
) -> tuple[BatchSize, ...]:
    """Return what a step of each size takes, up to the examples' own; gradients are lost.

    Raises:
        UsageError: a size is above the examples'.
    """
    largest = max(sizes, default=0)
    if largest > examples.n_batch:
        raise UsageError(
            f"diagnostics.batch_sizes: got {largest}, wanted at most data.n_batch, which is "
            f"{examples.n_batch}"
        )
    return tuple(_measure(learner, examples, n, device=device) for n in sorted(set(sizes)))


def _measure(learner: Learner, examples: Examples, n: int, *, device: torch.device) -> BatchSize:
    batch = examples.batch(0, progress=0.0, rows=slice(0, n))
    _step(learner, batch)  # the first of a size is slower, and takes its buffers
    before = resident_bytes(device)
    reset_peak(device)
    ms = min(_timed(learner, batch, device=device) for _ in range(N_TIMED))
    peak = peak_bytes(device) if device.type == "cuda" else None
    return BatchSize(
        n_batch=n,
        activations_mib=round(kept_bytes(learner, batch) / 2**20, 3),
        peak_mib=None if peak is None else round(max(0, peak - before) / 2**20, 3),
        ms=round(ms, 3),
    )


def _timed(learner: Learner, batch: Any, *, device: torch.device) -> float:
    """Return the milliseconds of a step."""
    began = time.perf_counter()
    _step(learner, batch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return 1e3 * (time.perf_counter() - began)


def _step(learner: Learner, batch: Any) -> None:
    with torch.random.fork_rng(devices=[]):
        learner.loss(batch, progress=0.0).backward()  # type: ignore[no-untyped-call]
    learner.zero_grad()


def batch_bytes(batch: Any) -> int:
    """Return the bytes of a batch's arrays; 0 of one that is no dataclass."""
    names = [field.name for field in fields(batch)] if is_dataclass(batch) else []
    return sum(getattr(getattr(batch, name), "nbytes", 0) for name in names)


def kept_bytes(learner: Learner, batch: Any) -> int:
    """Return the bytes that a forward pass keeps for its backward pass, parameters left out."""
    own = {p.untyped_storage().data_ptr() for p in learner.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with torch.random.fork_rng(devices=[]), hooks:
        loss = learner.loss(batch, progress=0.0)  # kept alive: its graph holds the storages
        n_bytes = sum(kept.values())
    del loss
    return n_bytes
