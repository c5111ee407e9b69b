"""Where the given recordings are; tests that need them skip where they are missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("EEGSCRIBE_DATA", Path(__file__).parents[2] / "shared" / "data"))

needs_data = pytest.mark.skipif(
    not (DATA / "recordings").is_dir(), reason=f"no given recordings in {DATA} (set EEGSCRIBE_DATA)"
)


def recording(name: str) -> Path:
    """Return a given recording's path."""
    return DATA / "recordings" / name
