"""Where a verb may write: never over the bundle it was given, nor into the store; asked first."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from runtime.store import is_stored

if TYPE_CHECKING:
    from pathlib import Path


def check_out(path: Path, *, parent: Path | None, is_forced: bool) -> None:
    """Refuse a place that must not be written.

    Raises:
        UsageError: it is the bundle that was given, in the store, there and not forced, a folder
            that is called a file, or nothing can be written there.
    """
    if parent is not None and path.resolve() == parent.resolve():
        raise UsageError(f"--out {path}: is the bundle that was given, wanted another place")
    if is_stored(path):
        raise UsageError(f"--out {path}: is in the store; write it beside, then models install")
    if path.exists() and not is_forced:
        raise UsageError(f"--out {path}: exists already, wanted a new name or --force")
    if path.suffix == ".eegb" and path.is_dir():
        raise UsageError(f"--out {path}: is a folder, wanted a file of that name, or another one")
    check_writable(path)


def check_writable(path: Path) -> None:
    """Refuse a place where nothing can be made, before hours are spent on what goes there.

    Raises:
        UsageError: nothing can be written there.
    """
    parent = next(folder for folder in path.absolute().parents if folder.exists())
    try:  # permissions alone do not tell: a place may be no disk at all
        with tempfile.TemporaryDirectory(dir=parent, prefix=".eegscribe-"):
            pass
    except OSError as error:
        raise UsageError(f"--out {path}: {parent} cannot be written ({error.strerror})") from None
