"""What a report was made of: when, with which versions, on which machine."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("eegscribe", "numpy", "scipy", "jiwer", "sacrebleu", "rapidfuzz")


def made_here() -> dict[str, Any]:
    """Return date, versions and machine, as they stand under ``made_of`` of an evaluation."""
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {"Python": platform.python_version(), **_versions()},
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {platform.system()}",
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a checkout that is not installed
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
