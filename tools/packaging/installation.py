"""Bundles into the store and out of it: verified, whole or not at all, whoever else is at it."""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.bundle import copy_bundle, open_plain
from pipeline.errors import BundleError, EegscribeError, UsageError
from runtime.store import DIGESTS, NAMES, SUFFIX, content_path, is_name, named_digest
from tools.packaging.inventory import digest_of, names_of
from tools.packaging.store_lock import (
    STAGED,
    StoreError,
    changing,
    keep_owner,
    staging,
    sync,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation did; ``was`` is the digest that the name stood for before."""

    name: str
    sha256: str
    path: Path
    was: str | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal did; ``still`` are the names that keep the bundle in the store."""

    sha256: str
    names: tuple[str, ...]
    still: tuple[str, ...]
    is_gone: bool
    was_used: bool


def check_name(name: str) -> str:
    """Return ``name``.

    Raises:
        UsageError: no bundle may be called so.
    """
    if not is_name(name):
        raise UsageError(
            f"name: got {name!r}, wanted 1 to 100 of letters, digits, '.', '_' and '-', a letter"
            " or digit first, neither a digest nor a file's name"
        )
    return name


def install(
    source: Path,
    *,
    folder: Path,
    name: str,
    is_replacing: bool = False,
    pinned_sha256: str | None = None,
) -> Installed:
    """Verify a bundle and put it into the store under a name.

    Raises:
        UsageError: the name is none.
        BundleError: anything about the bundle.
        StoreError: the store cannot be written, or another bundle has the name and is not to be
            replaced.
    """
    check_name(name)
    with staging(folder) as own:
        staged = own / STAGED
        sha256 = _copy(source, staged, pinned_sha256)
        staged.chmod(_mode(folder))
        keep_owner(staged, folder)
        with changing(folder):
            was = named_digest(folder, name)
            if was not in {None, sha256} and not is_replacing:
                raise StoreError(
                    f"{name}: is the name of bundle {was[:12] if was else ''} in {folder},"
                    f" wanted another name or --replace"
                )
            link = _link(own, name, sha256, folder)
            is_new = _put(staged, content_path(folder, sha256))
            link.replace(folder / NAMES / name)
            sync(folder / NAMES)
    return Installed(
        name=name,
        sha256=sha256,
        path=content_path(folder, sha256),
        was=was if was != sha256 else None,
        is_new=is_new,
    )


def remove(text: str, *, folder: Path, is_forced: bool = False) -> Removed:
    """Take a name out of the store, and its bundle where no other name keeps it.

    A digest takes out the bundle itself, which only force does while it has names. A process that
    has read the bundle goes on without it.

    Raises:
        BundleError: the store has no such bundle.
        StoreError: it is in use, or has names, and nothing is forced; or the disk.
    """
    digest_of(text, folder=folder)  # before anything is made where no store is
    with changing(folder):
        sha256 = digest_of(text, folder=folder)
        names = names_of(sha256, folder=folder)
        going = (text,) if text in names else names
        still = tuple(name for name in names if name not in going)
        if text not in names and names and not is_forced:
            raise StoreError(
                f"{sha256[:12]}: is called {', '.join(names)}, wanted the name, or --force"
            )
        path = content_path(folder, sha256)
        with _alone(path) as is_alone:
            if not is_alone and not is_forced:
                raise StoreError(
                    f"{text}: a running daemon uses it, wanted it stopped, or --force"
                    " (it would run on, and not start again)"
                )
            for name in going:
                (folder / NAMES / name).unlink(missing_ok=True)
            sync(folder / NAMES)
            if not still:
                path.unlink(missing_ok=True)
                sync(folder / DIGESTS)
    return Removed(sha256, going, still, is_gone=not still, was_used=not is_alone)


def _copy(source: Path, staged: Path, pinned_sha256: str | None) -> str:
    try:
        return copy_bundle(source, staged, pinned_sha256=pinned_sha256)
    except BundleError:
        raise
    except EegscribeError as error:
        raise StoreError(str(error)) from None


def _mode(folder: Path) -> int:
    """Return the mode of a bundle: its owner's, and for those to read who may read the store."""
    return 0o600 | (folder.stat().st_mode & 0o044)


def _link(own: Path, name: str, sha256: str, folder: Path) -> Path:
    """Return the name as a link, made and on disk before the bundle goes in."""
    (own / NAMES).mkdir()
    link = own / NAMES / name
    link.symlink_to(Path("..", DIGESTS, f"{sha256}{SUFFIX}"))
    keep_owner(link, folder)
    sync(own / NAMES, own)
    return link


def _put(staged: Path, path: Path) -> bool:
    """Move a bundle to its digest; return whether it was not there, or damaged.

    One that is there stays the same file: others may hold it.
    """
    if path.exists() and filecmp.cmp(staged, path, shallow=False):
        staged.unlink()
        return False
    staged.replace(path)
    sync(path.parent)
    return True


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Give whether nobody holds a bundle, and keep others from it meanwhile."""
    try:
        file = open_plain(path)
    except (OSError, BundleError):  # gone, or nothing that a daemon could run
        yield True
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
