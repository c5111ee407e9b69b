"""Where a verb may write: never over the bundle it was given, nor into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from runtime.store import is_stored

if TYPE_CHECKING:
    from pathlib import Path


def check_out(path: Path, *, parent: Path | None, is_forced: bool) -> None:
    """Refuse a place that must not be written.

    Raises:
        UsageError: it is the bundle that was given, in the store, or there and not forced.
    """
    if parent is not None and path.resolve() == parent.resolve():
        raise UsageError(f"--out {path}: is the bundle that was given, wanted another place")
    if is_stored(path):
        raise UsageError(f"--out {path}: is in the store; write it beside, then models install")
    if path.exists() and not is_forced:
        raise UsageError(f"--out {path}: exists already, wanted a new name or --force")
