"""How much memory this process takes, and the most it took since it was last asked to forget."""

from __future__ import annotations

import os
from pathlib import Path

import torch

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident_bytes(device: torch.device) -> int:
    """Return what is taken now: on CUDA by tensors, else by the process; 0 where nobody tells."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(device: torch.device) -> int | None:
    """Return the most since :func:`reset_peak`; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = STATUS.read_bytes().splitlines()
    except OSError:
        return None
    found = [line for line in lines if line.startswith(b"VmHWM:")]
    return 1024 * int(found[0].split()[1]) if found else None


def reset_peak(device: torch.device) -> None:
    """Forget the peak so far, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        FORGET.write_bytes(b"5")  # proc(5): resets the peak resident set size
    except OSError:
        return
