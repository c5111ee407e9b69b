"""A streaming writer of XDF 1.0 files: several streams, readable up to the last chunk at any time.

Invariant: the file always ends on a chunk's end. Each chunk is one unbuffered write; where a write
stops half-way (disk full) the file is cut back to the last whole chunk. So a killed writer leaves a
file that any reader takes, less only the footers.

Format: https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RecordingError
from runtime.source import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TAG_FILE_HEADER, TAG_STREAM_HEADER, TAG_SAMPLES, TAG_CLOCK, TAG_BOUNDARY, TAG_FOOTER = range(1, 7)
BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
BOUNDARY_EVERY_BYTES = 1 << 20
NUMERIC_FORMATS: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "double64": np.dtype("<f8"),
    "int8": np.dtype("i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def stream_header(
    *,
    name: str,
    kind: str,
    rate_hz: float,
    channel_format: str,
    channels: Sequence[str] = (),
    n_channels: int | None = None,
    unit: str = "",
    source_id: str = "",
    uid: str = "",
    hostname: str = "",
    is_simulated: bool = False,
) -> str:
    """Return the XML header of a stream; without ``channels``, ``n_channels`` says how many."""
    described = "".join(
        f"<channel><label>{_text(label)}</label><unit>{_text(unit)}</unit>"
        f"<type>{_text(kind)}</type></channel>"
        for label in channels
    )
    where, what = SIMULATED
    mark = f"<{where}><{what}>true</{what}></{where}>" if is_simulated else ""
    desc = f"<desc><channels>{described}</channels>{mark}</desc>" if channels else "<desc/>"
    count = len(channels) if n_channels is None else n_channels
    return (
        '<?xml version="1.0"?><info>'
        f"<name>{_text(name)}</name><type>{_text(kind)}</type>"
        f"<channel_count>{count}</channel_count><nominal_srate>{rate_hz!r}</nominal_srate>"
        f"<channel_format>{channel_format}</channel_format>"
        f"<source_id>{_text(source_id)}</source_id><version>1.100000000000000</version>"
        f"<uid>{_text(uid)}</uid><hostname>{_text(hostname)}</hostname>{desc}</info>"
    )


@dataclass(slots=True)
class _Stream:
    """What the footer of a stream will say."""

    channel_format: str
    n_channels: int
    n_samples: int = 0
    first_stamp: float | None = None
    last_stamp: float | None = None

    def count(self, stamps: NDArray[np.float64]) -> None:
        if self.first_stamp is None:
            self.first_stamp = float(stamps[0])
        self.last_stamp = float(stamps[-1])
        self.n_samples += len(stamps)


class XdfWriter:
    """Writes one file, from one thread. The file is created with mode 0600.

    Raises:
        RecordingError: the file exists (unless ``overwrite``), or cannot be created or written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        flags |= os.O_TRUNC if overwrite else os.O_EXCL
        try:
            self._fd: int | None = os.open(path, flags, 0o600)
        except OSError as error:
            raise RecordingError(f"{path}: cannot be written: {error.strerror}") from None
        os.fchmod(self._fd, 0o600)  # an overwritten file keeps its old mode otherwise
        self.n_bytes = 0
        self._next_boundary = BOUNDARY_EVERY_BYTES
        self._streams: dict[int, _Stream] = {}
        self._write(b"XDF:")
        self._chunk(TAG_FILE_HEADER, b'<?xml version="1.0"?><info><version>1.0</version></info>')

    def add_stream(self, header: str, *, channel_format: str, n_channels: int) -> int:
        """Write a stream's header, see :func:`stream_header`, and return the stream's number."""
        if channel_format != "string" and channel_format not in NUMERIC_FORMATS:
            raise ValueError(f"channel_format: {channel_format!r} is none of XDF's")
        stream_id = len(self._streams) + 1
        self._streams[stream_id] = _Stream(channel_format, n_channels)
        content = header.encode("utf-8", "replace")
        self._chunk(TAG_STREAM_HEADER, struct.pack("<I", stream_id) + content)
        return stream_id

    def add_strings(self, name: str, *, kind: str = "Markers", source_id: str = "") -> int:
        """Add a stream of single strings at no regular rate, and return its number."""
        header = stream_header(
            name=name,
            kind=kind,
            rate_hz=0.0,
            channel_format="string",
            n_channels=1,
            source_id=source_id,
        )
        return self.add_stream(header, channel_format="string", n_channels=1)

    def write_samples(
        self, stream_id: int, values: NDArray[Any], stamps: NDArray[np.float64]
    ) -> None:
        """Append numeric samples ``(n_samples, n_channels)`` with a stamp in seconds for each."""
        stream = self._streams[stream_id]
        if values.shape != (len(stamps), stream.n_channels):
            raise ValueError(
                f"values: shape {values.shape} must be ({len(stamps)}, {stream.n_channels})"
            )
        if len(stamps) == 0:
            return
        dtype = NUMERIC_FORMATS[stream.channel_format]
        packed = np.empty(
            len(stamps),
            dtype=[("size", "u1"), ("stamp", "<f8"), ("values", dtype, (stream.n_channels,))],
        )
        packed["size"] = 8
        packed["stamp"] = stamps
        packed["values"] = values
        self._samples_chunk(stream_id, len(stamps), packed.tobytes())
        stream.count(stamps)

    def write_strings(self, stream_id: int, texts: Sequence[str], stamps: Sequence[float]) -> None:
        """Append one-channel string samples with their stamps in seconds."""
        if len(texts) != len(stamps):
            raise ValueError(f"texts: {len(texts)} must be as many as stamps, {len(stamps)}")
        if not texts:
            return
        parts = []
        for text, stamp in zip(texts, stamps, strict=True):
            encoded = text.encode("utf-8", "replace")
            parts += [struct.pack("<Bd", 8, stamp), _varlen(len(encoded)), encoded]
        self._samples_chunk(stream_id, len(texts), b"".join(parts))
        self._streams[stream_id].count(np.asarray(stamps, dtype=np.float64))

    def write_clock_offset(self, stream_id: int, time_s: float, offset_s: float) -> None:
        """Append a clock offset: what to add to the stream's stamps around ``time_s``."""
        self._chunk(TAG_CLOCK, struct.pack("<Idd", stream_id, time_s, offset_s))

    def close(self) -> None:
        """Write the footers and close the file; may be called twice."""
        if self._fd is None:
            return
        try:
            for stream_id, stream in self._streams.items():
                self._chunk(TAG_FOOTER, struct.pack("<I", stream_id) + _footer(stream))
        finally:
            os.close(self._fd)
            self._fd = None

    def _samples_chunk(self, stream_id: int, n_samples: int, packed: bytes) -> None:
        self._chunk(TAG_SAMPLES, struct.pack("<I", stream_id) + _varlen(n_samples) + packed)
        if self.n_bytes >= self._next_boundary:
            self._chunk(TAG_BOUNDARY, BOUNDARY)
            self._next_boundary = self.n_bytes + BOUNDARY_EVERY_BYTES

    def _chunk(self, tag: int, content: bytes) -> None:
        self._write(_varlen(len(content) + 2) + struct.pack("<H", tag) + content)

    def _write(self, data: bytes) -> None:
        if self._fd is None:
            raise ValueError(f"{self.path}: closed already")
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            os.ftruncate(self._fd, self.n_bytes)
            os.lseek(self._fd, self.n_bytes, os.SEEK_SET)
            raise RecordingError(f"{self.path}: cannot be written: {error.strerror}") from None
        self.n_bytes += len(data)


def _varlen(number: int) -> bytes:
    if number < 1 << 8:
        return struct.pack("<BB", 1, number)
    if number < 1 << 32:
        return struct.pack("<BI", 4, number)
    return struct.pack("<BQ", 8, number)


def _text(text: str) -> str:
    """Escape for XML, with what XML cannot hold replaced."""
    return escape(_NOT_XML.sub("\ufffd", text))


def _footer(stream: _Stream) -> bytes:
    first = "" if stream.first_stamp is None else repr(stream.first_stamp)
    last = "" if stream.last_stamp is None else repr(stream.last_stamp)
    return (
        '<?xml version="1.0"?><info>'
        f"<first_timestamp>{first}</first_timestamp><last_timestamp>{last}</last_timestamp>"
        f"<sample_count>{stream.n_samples}</sample_count></info>"
    ).encode()
