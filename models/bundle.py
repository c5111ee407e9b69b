"""A bundle: one folder, or one ``.eegb`` file (zip) of the same, wholly checked before it is used.

Nothing is trusted that the manifest does not list with its digest; the bytes that were hashed are
the bytes that are used, so a file that changes after the check changes nothing. Nothing is ever
unpickled, and nothing is read from outside the bundle.
"""

from __future__ import annotations

import contextlib
import hashlib
import lzma
import os
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from models.manifest import FileEntry, Manifest, parse_manifest
from models.onnx_scan import check_onnx
from pipeline.errors import BundleError, EegscribeError
from pipeline.plain_text import is_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FILES = 64
MAX_BYTES = 2 << 30
MAX_MANIFEST_BYTES = 64 << 20
MANIFEST = "manifest.json"
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
)
"""What Python's zip reader raises on archives that are damaged, or packed as it cannot unpack."""

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle in memory.

    ``sha256`` is the digest of the manifest's bytes and thereby of everything. ``files`` are the
    listed files' bytes by name.
    """

    manifest: Manifest
    sha256: str
    files: Mapping[str, bytes]


def load_bundle(path: Path, *, pinned_sha256: str | None = None) -> Bundle:
    """Read and verify a folder or ``.eegb`` file.

    Raises:
        BundleError: anything missing, extra, changed, unsafe, too large or of a newer format.
    """
    return _load(path, pinned_sha256)[0]


def copy_bundle(source: Path, target: Path, *, pinned_sha256: str | None = None) -> str:
    """Write a bundle again, verified, as folder or ``.eegb`` file; return its digest, the same.

    Raises:
        BundleError: as :func:`load_bundle`; or a folder in the way of ``target`` is no bundle.
        EegscribeError: the disk.
    """
    bundle, manifest_bytes = _load(source, pinned_sha256)
    _write(target, manifest_bytes, bundle.files)
    return bundle.sha256


def _load(path: Path, pinned_sha256: str | None) -> tuple[Bundle, bytes]:
    """Return a verified bundle, and its manifest as it stands in the file."""
    where = str(path)
    try:
        raw = _read_folder(path) if path.is_dir() else _read_zip(path)
    except FileNotFoundError:
        raise BundleError(f"{where}: no such bundle, wanted a folder or an .eegb file") from None
    except OSError as error:
        raise BundleError(f"{where}: cannot be read ({error.strerror or error})") from None
    if MANIFEST not in raw:
        raise BundleError(f"{where}: no {MANIFEST} in it, wanted a bundle")
    manifest_bytes = raw.pop(MANIFEST)
    if len(manifest_bytes) > MAX_MANIFEST_BYTES:
        size = f"{len(manifest_bytes)} bytes, wanted at most {MAX_MANIFEST_BYTES >> 20} MiB"
        raise BundleError(f"{where}/{MANIFEST}: {size}")
    sha256 = hashlib.sha256(manifest_bytes).hexdigest()
    if pinned_sha256 is not None and sha256 != pinned_sha256.lower():
        raise BundleError(f"{where}: digest {sha256[:12]}… is not the pinned {pinned_sha256[:12]}…")
    manifest = parse_manifest(manifest_bytes, where=f"{where}/{MANIFEST}")
    _check_files(raw, manifest.files, where)
    _check_models(raw, manifest, where)
    return Bundle(manifest, sha256, raw), manifest_bytes


def write_bundle(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> str:
    """Write a bundle whole or not at all, and return its digest.

    ``manifest.files`` is filled in from ``files``. A ``path`` that ends in ``.eegb`` becomes one
    zip file, else a folder; what was there before is replaced.

    Raises:
        BundleError: the result would be refused by :func:`load_bundle`, or a folder in the way is
            no bundle.
        EegscribeError: the disk.
    """
    entries = {
        name: FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        for name, data in sorted(files.items())
    }
    manifest = msgspec.structs.replace(manifest, files=entries)
    manifest_bytes = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    parse_manifest(manifest_bytes, where=str(path / MANIFEST))
    for name in files:
        _check_name(name, str(path))
    _check_models(files, manifest, str(path))
    _write(path, manifest_bytes, files)
    return hashlib.sha256(manifest_bytes).hexdigest()


def _write(path: Path, manifest_bytes: bytes, files: Mapping[str, bytes]) -> None:
    """Put a bundle where it is asked for, whole or not at all.

    Raises:
        EegscribeError: the disk.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".eegb":
            _write_zip(partial, manifest_bytes, files)
            partial.replace(path)
        else:
            _write_folder(partial, manifest_bytes, files)
            _replace_folder(partial, path)
    except OSError as error:
        raise EegscribeError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with contextlib.suppress(OSError):
            _remove(partial)  # is there still where the disk was full, or something in the way


def _check_name(name: str, where: str) -> None:
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or "\\" in name
        or ":" in name
        or not is_plain(name, is_name=True)
        or any(part in {"..", "."} for part in name.split("/"))
        or str(PurePosixPath(name)) != name
    ):
        raise BundleError(
            f"{where}: file name {name!r} is not allowed, wanted a plain relative name"
        )


def _check_files(raw: Mapping[str, bytes], listed: Mapping[str, FileEntry], where: str) -> None:
    for name in listed:
        if name not in raw:
            raise BundleError(f"{where}/{name}: missing, the manifest lists it")
    for name, data in raw.items():
        entry = listed.get(name)
        if entry is None:
            raise BundleError(f"{where}/{name}: not listed in the manifest")
        if len(data) != entry.size:
            raise BundleError(f"{where}/{name}: {len(data)} bytes, the manifest says {entry.size}")
        digest = hashlib.sha256(data).hexdigest()
        if digest != entry.sha256:
            raise BundleError(
                f"{where}/{name}: changed (SHA-256 {digest[:12]}…,"
                f" the manifest says {entry.sha256[:12]}…)"
            )


def _check_budget(n_files: int, n_bytes: int, where: str) -> None:
    if n_files > MAX_FILES:
        raise BundleError(f"{where}: over {MAX_FILES} files")
    if n_bytes > MAX_BYTES:
        raise BundleError(f"{where}: over {MAX_BYTES >> 30} GiB unpacked")


def _check_models(files: Mapping[str, bytes], manifest: Manifest, where: str) -> None:
    """Scan every ONNX file, and what the manifest runs whatever its name."""
    runs = {manifest.model.path, manifest.step.path if manifest.step else manifest.model.path}
    for name, data in files.items():
        if name.endswith(".onnx") or name in runs:
            check_onnx(data, where=f"{where}/{name}")


def _read_folder(path: Path) -> dict[str, bytes]:
    where, found, n_bytes = str(path), [], 0
    for entry in sorted(path.rglob("*")):
        name = entry.relative_to(path).as_posix()
        mode = entry.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise BundleError(f"{where}/{name}: is a link, wanted a plain file")
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise BundleError(f"{where}/{name}: is not a plain file")
        n_bytes += entry.lstat().st_size
        found.append((name, entry))
        _check_budget(len(found), n_bytes, where)
    return {name: _read_plain(entry) for name, entry in found}


def _read_plain(path: Path) -> bytes:
    """Read a file that must not be a link, also if it became one a moment ago."""
    with open_plain(path, flags=os.O_NOFOLLOW) as file:
        return file.read()


def open_plain(path: Path, *, flags: int = 0) -> BinaryIO:
    """Open what is a plain file: reading a pipe would wait, and a device may never end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
    file = os.fdopen(handle, "rb")
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return file
    file.close()
    raise BundleError(f"{path}: is not a plain file")


def _read_zip(path: Path) -> dict[str, bytes]:
    where = str(path)
    try:
        with open_plain(path) as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            _check_budget(len(infos), sum(info.file_size for info in infos), where)
            files: dict[str, bytes] = {}
            for info in infos:
                _check_name(info.filename, where)
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise BundleError(f"{where}/{info.filename}: is a link, wanted a plain file")
                if info.filename in files:
                    raise BundleError(f"{where}/{info.filename}: twice in the archive")
                with archive.open(info) as member:
                    data = member.read(info.file_size + 1)
                if len(data) > info.file_size:
                    raise BundleError(f"{where}/{info.filename}: larger than the archive says")
                files[info.filename] = data
            return files
    except DAMAGE as error:
        raise BundleError(f"{where}: not a whole .eegb file ({error})") from None


def _write_zip(path: Path, manifest_bytes: bytes, files: Mapping[str, bytes]) -> None:
    """Write a zip that is the same bytes for the same content; the manifest comes last."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*sorted(files.items()), (MANIFEST, manifest_bytes)]:
            info = zipfile.ZipInfo(name, _FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _write_folder(path: Path, manifest_bytes: bytes, files: Mapping[str, bytes]) -> None:
    path.mkdir()
    for name, data in [*sorted(files.items()), (MANIFEST, manifest_bytes)]:
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _replace_folder(partial: Path, path: Path) -> None:
    if path.exists():
        if not (path / MANIFEST).is_file():
            raise BundleError(f"{path}: exists and is no bundle, wanted a new name")
        old = path.with_name(f".{path.name}.{os.getpid()}.old")
        path.rename(old)
        partial.rename(path)
        _remove(old)
    else:
        partial.rename(path)


def _remove(path: Path) -> None:
    """Remove a file or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
