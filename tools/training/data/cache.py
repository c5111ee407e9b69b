"""Filtered recordings, made when they are first needed and kept: in memory, or on disk for later.

A file holds what the runtime's own filters make of one whole recording, from its first sample as
in the daemon. Its name is a digest of the samples, the filters' settings and what the filters make
of a given noise: other data, settings or code never find it. Files appear whole or not at all, so
processes may share a folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pipeline.errors import RecordingError, UsageError
from pipeline.filters import FilterChain
from runtime.places import make_private_folder
from runtime.recordings.source import RecordingSource
from runtime.source import drain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples
    from tools.training.data.corpus import Recorded

DEFAULT_LIMIT_BYTES = 20 << 30
SUFFIX = ".npy"
PARTIAL = ".partial"
STALE_S = 86_400.0
"""A partial file so old is of a process that was killed."""


class FilteredCache:
    """Gives filtered recordings. May be used from several threads.

    Args:
        recordings: all that will be asked for.
        spec: whose filters; its channels are those of the recordings.
        folder: made if it is missing, for this user alone; None keeps all in memory.
        limit_bytes: above which what others left there goes; all of ``recordings`` stay whatever
            they take.

    Raises:
        UsageError: the folder cannot be used.
    """

    def __init__(
        self,
        recordings: Sequence[Recorded],
        spec: PipelineSpec,
        *,
        folder: Path | None = None,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ) -> None:
        self._spec = spec
        self._n_inputs = len(spec.bands) * len(spec.channels)
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._held: dict[str, Samples] = {}
        self._lock = threading.Lock()
        self._filters = _digest_of_filters(spec)
        self._own = frozenset(self._key(recorded) for recorded in recordings)
        if folder is not None:
            _check_folder(folder)

    def samples(self, recorded: Recorded) -> Samples:
        """Return all of a recording as the model reads it, ``(n_samples, n_inputs)``, read-only.

        Raises:
            RecordingError: it is no longer what it was when it was described.
            UsageError: the folder cannot be written.
        """
        key = self._key(recorded)
        with self._lock:
            if key not in self._held:
                self._held[key] = self._get(recorded, key)
            return self._held[key]

    def _key(self, recorded: Recorded) -> str:
        return hashlib.sha256(f"{recorded.content} {self._filters}".encode()).hexdigest()

    def _get(self, recorded: Recorded, key: str) -> Samples:
        if self._folder is None:
            filtered = np.concatenate(list(filtered_chunks(recorded, self._spec)))
            filtered.setflags(write=False)
            return filtered
        path = self._folder / f"{key}{SUFFIX}"
        shape = (recorded.n_samples, self._n_inputs)
        found = _open(path, shape)
        if found is None:
            try:
                self._write(path, recorded, shape)
            except OSError as error:
                raise UsageError(f"--cache {self._folder}: {error.strerror}") from None
            found = _open(path, shape)
        if found is None:
            raise UsageError(f"--cache {path}: does not hold what was written there")
        return found

    def _write(self, path: Path, recorded: Recorded, shape: tuple[int, int]) -> None:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=PARTIAL)
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                _write_header(file, shape)
                for chunk in filtered_chunks(recorded, self._spec):
                    file.write(chunk.tobytes())
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        self._evict(path.parent)

    def _evict(self, folder: Path) -> None:
        """Remove what was used longest ago until the rest is within the limit; never our own."""
        files: list[tuple[float, int, Path]] = []
        for path in folder.iterdir():
            try:
                found = path.stat()
            except FileNotFoundError:  # another process was faster
                continue
            if path.suffix == PARTIAL and found.st_mtime < time.time() - STALE_S:
                path.unlink(missing_ok=True)
            elif path.suffix == SUFFIX:
                files.append((found.st_mtime, found.st_size, path))
        n_bytes = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if n_bytes > self._limit_bytes and path.stem not in self._own:
                path.unlink(missing_ok=True)
                n_bytes -= size


def filtered_chunks(recorded: Recorded, spec: PipelineSpec) -> Iterator[Samples]:
    """Yield what the filters make of a recording, chunk by chunk, in order.

    Raises:
        RecordingError: its samples are no longer those that were described.
    """
    source = RecordingSource(recorded.path, channels=recorded.channels)
    digest = hashlib.sha256(str((recorded.n_samples, len(recorded.channels))).encode())
    filters = FilterChain(spec)
    source.open(None)
    try:
        for batch in drain(source):
            digest.update(batch.samples.data)
            yield filters.push(batch.samples)
    finally:
        source.close()
    if digest.hexdigest() != recorded.content:
        raise RecordingError(f"{recorded.path}: changed since it was read first, wanted it to stay")


def _digest_of_filters(spec: PipelineSpec) -> str:
    """Return a digest of all that decides what the filters make of samples, their code included."""
    settings = (spec.rate_hz, spec.channels, spec.reference, spec.bands, spec.normalise)
    noise = np.random.default_rng(0).standard_normal((512, len(spec.channels)))
    output = FilterChain(spec).push((20.0 * noise).astype(np.float32))
    return hashlib.sha256(msgspec.json.encode(settings) + output.tobytes()).hexdigest()


def _check_folder(folder: Path) -> None:
    """Make the folder, or make sure that nobody else can look into it or change it."""
    try:
        make_private_folder(folder)
        found = folder.stat()
    except OSError as error:
        raise UsageError(f"--cache {folder}: {error.strerror}") from None
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UsageError(
            f"--cache {folder}: others may look into it (mode {stat.S_IMODE(found.st_mode):04o}),"
            " wanted a folder of this user alone (chmod 700)"
        )


def _write_header(file: IO[bytes], shape: tuple[int, int]) -> None:
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)


def _open(path: Path, shape: tuple[int, int]) -> Samples | None:
    """Return the array in a file, mapped, or None where it is not there or not as wanted."""
    try:
        found = np.lib.format.open_memmap(path, mode="r")
        os.utime(path)
    except (OSError, ValueError, EOFError):
        return None
    fits = found.dtype == np.float32 and found.shape == shape and found.flags.c_contiguous
    return found if fits else None
