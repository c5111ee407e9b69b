"""On what the figures were taken: no number means anything without it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.console.command import now
from tools.console.version import versions

if TYPE_CHECKING:
    from collections.abc import Mapping

LIBRARIES = (
    *("numpy", "scipy", "onnxruntime-gpu", "onnxruntime", "onnx", "torch", "pylsl", "pyzmq"),
    "msgspec",
)


def describe() -> dict[str, str | int | float | list[float] | dict[str, str]]:
    """Return CPU, cores, memory, kernel, Python, libraries and what else runs now."""
    return {
        "cpu": cpu_model(),
        "cores": n_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "governor": _governor(),
        "python": platform.python_version(),
        "libraries": _libraries(),
        "load_1_5_15": [round(load, 2) for load in os.getloadavg()],
        "at": now(),
    }


def show(machine: Mapping[str, Any]) -> str:
    """Return the description as the lines above a table."""
    libraries = machine["libraries"]
    return "\n".join(
        (
            f"machine    {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB",
            f"system     {machine['kernel']}, governor {machine['governor']},"
            f" Python {machine['python']}",
            "libraries  " + ", ".join(f"{name} {v}" for name, v in libraries.items()),
            f"load       {machine['load_1_5_15']} (1, 5, 15 min) at {machine['at']}",
        )
    )


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def load() -> float:
    """Return how many processes wanted a core over the last minute."""
    return round(os.getloadavg()[0], 2)


def busy_share(seconds: float = 0.0, *, since: tuple[int, int] | None = None) -> float:
    """Return the share of all cores' time used, over ``seconds`` or since :func:`ticks`."""
    before = since if since is not None else ticks()
    if seconds:
        time.sleep(seconds)
    busy, whole = (now - then for now, then in zip(ticks(), before, strict=True))
    return busy / whole if whole else 0.0


def ticks() -> tuple[int, int]:
    """Return clock ticks that all cores were busy, and that have passed."""
    fields = [int(f) for f in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def cpu_model() -> str:
    """Return what the processor is called, or at least its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _governor() -> str:
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return path.read_text().strip() if path.exists() else "unknown"


def _libraries() -> dict[str, str]:
    import pylsl

    number = pylsl.library_version()
    return {**versions(LIBRARIES), "liblsl": f"{number // 100}.{number % 100}"}
