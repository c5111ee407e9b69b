"""How much memory this process holds, as the kernel counts it; light enough for anybody to ask."""

from __future__ import annotations

import os
from pathlib import Path

STATM, STATUS, FORGET = (Path("/proc/self") / name for name in ("statm", "status", "clear_refs"))


def resident_bytes() -> int:
    """Return what the process holds now; 0 where nobody tells."""
    try:
        pages = STATM.read_bytes().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int | None:
    """Return the most since :func:`reset_peak`, or ever where it cannot; None if nobody tells."""
    try:
        lines = STATUS.read_bytes().splitlines()
    except OSError:
        return None
    found = [line for line in lines if line.startswith(b"VmHWM:")]
    return 1024 * int(found[0].split()[1]) if found else None


def reset_peak() -> bool:
    """Forget the peak so far; False where the system cannot, and a peak is the process's own."""
    try:
        FORGET.write_bytes(b"5")  # proc(5): resets the peak resident set size
    except OSError:
        return False
    return True
