"""Whether a FIF, EDF or BDF file is whole, before MNE reads it.

MNE follows a FIF tag that points back for ever, and reads the records of a cut-off EDF file
without a word of those that are missing.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import TYPE_CHECKING

from pipeline.errors import RecordingError

if TYPE_CHECKING:
    from pathlib import Path

_TAG = struct.Struct(">iIii")
_FILE_ID = 100
_LABEL_TO_SAMPLES_BYTES = 16 + 80 + 5 * 8 + 80
"""Bytes a signal takes in an EDF header before its count of samples a record."""


def check_before_mne(path: Path) -> None:
    """Check a file whose kind we know how to check.

    Raises:
        RecordingError: it is cut off or contradicts itself.
    """
    name = path.name.lower()
    try:
        if name.endswith((".fif", ".fif.gz")):
            _check_fif(path)
        elif name.endswith((".edf", ".bdf")):
            _check_edf(path, n_value_bytes=2 if name.endswith(".edf") else 3)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise RecordingError(f"{path}: cannot be read: {said}") from None


def _check_fif(path: Path) -> None:
    """Follow the tags: each must lie in the file, and none be met twice."""
    with path.open("rb") as raw, gzip.open(raw) if path.suffix == ".gz" else raw as tags:
        stream = io.BytesIO(tags.read()) if path.suffix == ".gz" else tags
        n_bytes = stream.seek(0, io.SEEK_END)
        at = 0
        met: set[int] = set()
        while True:
            stream.seek(at)
            header = stream.read(_TAG.size)
            if len(header) < _TAG.size:
                break
            kind, _, size, following = _TAG.unpack(header)
            if not met and kind != _FILE_ID:
                raise RecordingError(f"{path}: does not begin as a FIF file does")
            met.add(at)
            stop = at + _TAG.size + size
            if size < 0 or stop > n_bytes:
                raise RecordingError(
                    f"{path}: is cut off: {n_bytes} bytes end inside the tag at byte {at}"
                )
            if following < 0:
                return
            at = following or stop
            if at in met:
                raise RecordingError(f"{path}: its tags go in a circle at byte {at}")
        if at != n_bytes:
            raise RecordingError(f"{path}: is cut off: {n_bytes} bytes, wanted a tag at byte {at}")


def _check_edf(path: Path, *, n_value_bytes: int) -> None:
    """Compare the size of the file with what its header says of records and signals."""
    n_bytes = path.stat().st_size
    with path.open("rb") as edf:
        try:
            fixed = edf.read(256)
            n_header, n_records = int(fixed[184:192]), int(fixed[236:244])
            n_signals = int(fixed[252:256])
            edf.seek(256 + n_signals * _LABEL_TO_SAMPLES_BYTES)
            counts = edf.read(8 * n_signals)
            n_values = sum(int(counts[8 * k : 8 * k + 8]) for k in range(n_signals))
        except ValueError:
            raise RecordingError(f"{path}: its header's counts are no numbers") from None
    wanted = n_header + n_records * n_values * n_value_bytes
    if n_records >= 0 and n_bytes < wanted:  # -1 while it is being written
        raise RecordingError(
            f"{path}: is cut off: {n_bytes} bytes, wanted {wanted} for {n_records} records"
        )
