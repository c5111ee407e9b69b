"""What is in the store: for people, by looking at all of it. Look-up does not: runtime.store."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.bundle import DAMAGE, MANIFEST, MAX_MANIFEST_BYTES, open_plain
from models.manifest import Manifest, parse_manifest
from pipeline.errors import BundleError
from runtime.store import DIGESTS, NAMES, SUFFIX, content_path, is_digest, is_name, named_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHORTEST_DIGEST = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle of the store; ``manifest`` is None where it cannot be read, ``problem`` says why.

    Without a size there is a name, and no bundle.
    """

    sha256: str
    names: tuple[str, ...]
    path: Path
    size_bytes: int | None
    manifest: Manifest | None
    problem: str | None = None


def entries(folder: Path) -> Iterator[Entry]:
    """Yield every bundle of the store by its first name, the nameless last.

    Raises:
        BundleError: it cannot be read.
    """
    called: dict[str, list[str]] = {}
    for name, sha256 in names(folder).items():
        called.setdefault(sha256, []).append(name)
    for sha256 in digests(folder):
        called.setdefault(sha256, [])
    for sha256, its_names in called.items():
        yield entry(sha256, folder=folder, its_names=tuple(its_names))


def entry(sha256: str, *, folder: Path, its_names: tuple[str, ...]) -> Entry:
    """Return one bundle, of which the manifest alone is read and checked."""
    path = content_path(folder, sha256)
    size_bytes, manifest, problem = None, None, None
    try:
        size_bytes = path.stat().st_size
        manifest = _manifest(path, sha256)
    except FileNotFoundError:
        problem = "its bundle is gone"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except BundleError as error:
        problem = str(error)
    return Entry(sha256, its_names, path, size_bytes, manifest, problem)


def _manifest(path: Path, sha256: str) -> Manifest:
    try:
        with open_plain(path) as file, zipfile.ZipFile(file) as archive:
            info = archive.getinfo(MANIFEST)
            if info.file_size > MAX_MANIFEST_BYTES:
                raise BundleError(f"{path}: a manifest of {info.file_size} bytes")
            data = archive.read(info)
    except (*DAMAGE, KeyError) as error:
        raise BundleError(f"{path}: not a whole .eegb file ({error})") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BundleError(f"{path}: holds another bundle than its digest says")
    return parse_manifest(data, where=f"{path}/{MANIFEST}")


def digest_of(text: str, *, folder: Path) -> str:
    """Return the digest of a name, a digest or the beginning of one, 8 digits or more.

    A name may be of a bundle that is gone. Beginnings are looked for among all.

    Raises:
        BundleError: there is none, or several begin so.
    """
    if is_name(text) and (named := named_digest(folder, text)) is not None:
        return named
    start = text.lower()
    if is_digest(start):
        found = [start] if content_path(folder, start).exists() else []
    elif len(start) >= SHORTEST_DIGEST:
        found = [sha256 for sha256 in digests(folder) if sha256.startswith(start)]
    else:
        found = []
    if len(found) != 1:
        what = f"{len(found)} digests begin so" if found else "no such name or digest"
        raise BundleError(f"{text}: {what} in {folder}, see eegscribe models list")
    return found[0]


def digests(folder: Path) -> Iterator[str]:
    """Yield the digests in the store, in order.

    Raises:
        BundleError: it cannot be read.
    """
    for file in _listed(folder / DIGESTS):
        sha256 = file.removesuffix(SUFFIX)
        if is_digest(sha256):
            yield sha256


def names(folder: Path) -> dict[str, str]:
    """Return every name in the store with its digest, in order.

    What is no link of ours is no name: one stranger keeps nobody from the other bundles.

    Raises:
        BundleError: it cannot be read.
    """
    found: dict[str, str] = {}
    for name in filter(is_name, _listed(folder / NAMES)):
        with contextlib.suppress(BundleError):
            sha256 = named_digest(folder, name)
            if sha256 is not None:
                found[name] = sha256
    return found


def strangers(folder: Path) -> Iterator[str]:
    """Yield a sentence of each name in the store that is no link of ours.

    Raises:
        BundleError: it cannot be read.
    """
    for name in filter(is_name, _listed(folder / NAMES)):
        try:
            named_digest(folder, name)
        except BundleError as error:
            yield str(error)


def names_of(sha256: str, *, folder: Path) -> tuple[str, ...]:
    """Return the names of one bundle."""
    return tuple(name for name, stands_for in names(folder).items() if stands_for == sha256)


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read ({error.strerror})") from None
