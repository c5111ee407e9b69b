"""What a report was made of: when, with which versions, on which machine."""

from __future__ import annotations

import platform
from typing import Any

from tools.console.command import now
from tools.console.version import versions
from tools.host.machine import cpu_model, n_cores

LIBRARIES = ("eegscribe", "numpy", "scipy", "jiwer", "sacrebleu", "rapidfuzz")


def made_here() -> dict[str, Any]:
    """Return date, versions and machine, as they stand under ``made_of`` of an evaluation."""
    return {
        "created": now(),
        "versions": {"Python": platform.python_version(), **versions(LIBRARIES)},
        "machine": f"{cpu_model()}, {n_cores()} cores, {platform.system()}",
    }
