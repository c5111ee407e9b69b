"""Who may change a store: one process at a time, and leftovers of the dead go first.

A bundle is made in a folder of ``staging`` that its process holds locked, and gets into ``digests``
by one rename: the moment of its installation. A process killed before that leaves a folder without
a lock, which the next change sweeps away; one killed after it, and before its name stands, leaves
the name in that folder, and the sweep puts it in place. So an installation is whole or not there.

The locks are ``flock``: they end with their process, however it ends, and no process number is
ever taken for another's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from typing import TYPE_CHECKING

from pipeline.errors import EegscribeError
from runtime.places import make_private_folder
from runtime.store import DIGESTS, NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGING = "staging"
LOCK = "lock"
STAGED = "bundle.eegb"


class StoreError(EegscribeError):
    """The store cannot do what was asked, though nothing is wrong with the bundle."""


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Be the only one to change the store; it is made where it is missing, and swept.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        _make(folder)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(f"{folder}: this store cannot be written ({error.strerror})") from None
    try:
        keep_owner(folder / LOCK, folder)
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            _sweep(folder)
            yield
        except OSError as error:
            raise StoreError(
                f"{error.filename or folder}: this store cannot be written ({error.strerror})"
            ) from None
    finally:
        os.close(handle)


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Give a folder to make a bundle in, which nobody sweeps while this process lives."""
    with changing(folder):  # so that no sweep comes between its making and its lock
        own = folder / STAGING / secrets.token_hex(8)
        own.mkdir(mode=0o700)
        keep_owner(own, folder)
        handle = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield own
    finally:
        _clear(own)
        os.close(handle)


def sync(*folders: Path) -> None:
    """Wait until the disk has what these folders list."""
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def keep_owner(path: Path, folder: Path) -> None:
    """Give what root makes in somebody's store to its owner: a service reads it as another user."""
    owner = folder.stat()
    if os.geteuid() == 0 and (owner.st_uid, owner.st_gid) != (0, 0):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _make(folder: Path) -> None:
    if not folder.is_dir():
        make_private_folder(folder)
        keep_owner(folder, folder.parent)
    for name in (DIGESTS, NAMES, STAGING):
        part = folder / name
        if not part.is_dir():
            part.mkdir(mode=folder.stat().st_mode & 0o777, exist_ok=True)
            keep_owner(part, folder)


def _sweep(folder: Path) -> None:
    """Finish or clear away what dead processes left in ``staging``; call with the lock held."""
    for entry in list(os.scandir(folder / STAGING)):
        left = folder / STAGING / entry.name
        try:
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # its process has just ended well
        except OSError:
            left.unlink(missing_ok=True)  # no folder: nothing of ours
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _finish(left, folder)
            _clear(left)
        except BlockingIOError:
            pass  # its process lives
        finally:
            os.close(handle)


def _finish(left: Path, folder: Path) -> None:
    """Put the name in place of a bundle that is installed already."""
    if (left / STAGED).exists():
        return
    for link in (left / NAMES).glob("*"):
        link.replace(folder / NAMES / link.name)
        sync(folder / NAMES)


def _clear(own: Path) -> None:
    """Remove a folder of ``staging``, its name first: without its bundle it would be finished."""
    shutil.rmtree(own / NAMES, ignore_errors=True)
    shutil.rmtree(own, ignore_errors=True)
