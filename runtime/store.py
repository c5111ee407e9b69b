"""The local store: a bundle is found by its name or its digest, at one look however many there are.

    models/
      digests/<sha256>.eegb    a bundle under its own digest, whole and never altered
      names/<name>             a link to one of them
      staging/, lock           of those who install and remove: tools.packaging

Nothing here scans or writes, so a store may be read-only. Who runs a bundle for long holds it
(:func:`hold`), by a lock that ends with the process, however it ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BundleError, ConfigError
from runtime.places import state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGESTS = "digests"
NAMES = "names"
SUFFIX = ".eegb"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


def store_folder() -> Path:
    """Return the folder of installed bundles."""
    return state_folder() / "models"


def is_digest(text: str) -> bool:
    """Return whether ``text`` is a whole SHA-256 in lower-case hex."""
    return _DIGEST.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Return whether a bundle may be called so: no path, no digest, no name of a file."""
    return _NAME.fullmatch(text) is not None and not is_digest(text) and not text.endswith(SUFFIX)


def content_path(folder: Path, sha256: str) -> Path:
    """Return where a store keeps the bundle of this digest."""
    return folder / DIGESTS / f"{sha256}{SUFFIX}"


def named_digest(folder: Path, name: str) -> str | None:
    """Return the digest that a name stands for, None where the store has no such name.

    Raises:
        BundleError: the name cannot be read, or is no link of ours.
    """
    link = folder / NAMES / name
    try:
        target = link.readlink()
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise BundleError(f"{link}: cannot be read as a link ({error.strerror})") from None
    sha256 = target.name.removesuffix(SUFFIX)
    if not is_digest(sha256) or target != Path("..", DIGESTS, f"{sha256}{SUFFIX}"):
        raise BundleError(f"{link}: points to {target}, wanted ../{DIGESTS}/<sha256>{SUFFIX}")
    return sha256


def find(text: str, *, folder: Path | None = None) -> Path | None:
    """Return the stored bundle of this name or whole digest, None where there is none.

    Raises:
        BundleError: the store cannot be read, or the name's bundle is gone.
    """
    folder = folder or store_folder()
    if is_digest(text.lower()):
        path = content_path(folder, text.lower())
        return path if _is_there(path) else None
    sha256 = named_digest(folder, text) if is_name(text) else None
    if sha256 is None:
        return None
    path = content_path(folder, sha256)
    if not _is_there(path):
        raise BundleError(
            f"{folder / NAMES / text}: its bundle {sha256[:12]} is gone, reinstall it"
        )
    return path


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
    return True


def bundle_path(name: str) -> Path:
    """Return the bundle that a configuration names: a path, or a name or digest in the store.

    Raises:
        ConfigError: a bare name that the store does not have.
        BundleError: the store has it and cannot give it.
    """
    path = Path(name)
    if path.is_absolute() or "/" in name or path.exists():
        return path
    found = find(name)
    if found is None:
        raise ConfigError(
            f"stream.bundle: got {name!r},"
            f" wanted a folder, an .eegb file or a bundle in {store_folder()}"
        )
    return found


def is_stored(path: Path, *, folder: Path | None = None) -> bool:
    """Return whether ``path`` is a bundle of the store, which nothing may alter."""
    return path.resolve().parent == ((folder or store_folder()) / DIGESTS).resolve()


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Say that this process uses a bundle, so that it is not removed; never waits.

    Nothing is held of a bundle outside the store, nor on a disk that knows no locks.
    """
    with contextlib.ExitStack() as held:
        if is_stored(path):
            with contextlib.suppress(OSError):
                file = held.enter_context(path.open("rb"))
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
