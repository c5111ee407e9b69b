"""Files that are never seen half written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def partial_name(name: str) -> str:
    """Return what a file is called until it is whole; one that was killed leaves it behind."""
    return f".{name}.partial"


def write_whole(path: Path, data: bytes, *, is_private: bool = False) -> None:
    """Write a file that is never seen half written, a power cut included; private: 0600."""
    partial = path.with_name(partial_name(path.name))
    try:
        with partial.open("wb") as file:
            if is_private:
                os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
