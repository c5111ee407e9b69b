"""How much memory training takes, and the most it took since it was last asked to forget."""

from __future__ import annotations

import torch

from tools.host import resident


def resident_bytes(device: torch.device) -> int:
    """Return what is taken now: on CUDA by tensors, else by the process; 0 where nobody tells."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return resident.resident_bytes()


def peak_bytes(device: torch.device) -> int | None:
    """Return the most since :func:`reset_peak`, or ever where it cannot; None if nobody tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resident.peak_bytes()


def reset_peak(device: torch.device) -> None:
    """Forget the peak so far, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    resident.reset_peak()
