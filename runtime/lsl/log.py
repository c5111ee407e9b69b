"""Keeps liblsl's own chatter off stderr, where it would mix with our log lines.

Only where the host has no LSL configuration of its own, which may name peers and is not ours to
override.
"""

from __future__ import annotations

import os
from pathlib import Path

import pylsl

ERRORS_ONLY = "[log]\nlevel = -2\n"
"""liblsl's level of errors; 0 is its information, the default."""


def hush_lsl() -> bool:
    """Let liblsl tell errors only; call it before any stream is made or sought.

    Returns whether that was done: not where the host configures LSL itself.
    """
    if any(path.is_file() for path in configuration_files()):
        return False
    pylsl.set_config_content(ERRORS_ONLY)
    return True


def configuration_files() -> list[Path]:
    """Return where liblsl looks for its configuration."""
    named = os.environ.get("LSLAPICFG", "")
    places = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")
    return [*([Path(named)] if named else []), *(Path(place).expanduser() for place in places)]
