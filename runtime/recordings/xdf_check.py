"""Whether an XDF file is whole, before a reader believes what it says of its own sizes.

pyxdf skips what it cannot read and goes on, and allocates what a chunk's header asks for. Here
every chunk is walked first: its length must lie in the file, its samples must fill it exactly, and
its stream must have been described. What passes, pyxdf reads whole and in the memory the file
takes.

Format: https://github.com/sccn/xdf/wiki/Specifications
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NoReturn
from xml.etree import ElementTree

import numpy as np

from pipeline.errors import RecordingError
from runtime.recordings.xdf_writer import (
    NUMERIC_FORMATS,
    TAG_CLOCK,
    TAG_FILE_HEADER,
    TAG_FOOTER,
    TAG_SAMPLES,
    TAG_STREAM_HEADER,
)

MAGIC = b"XDF:"
MAX_CHANNELS = 1 << 16
MAX_HEADER_BYTES = 1 << 24
_VARLEN = {1: struct.Struct("<B"), 4: struct.Struct("<I"), 8: struct.Struct("<Q")}


@dataclass(frozen=True, slots=True)
class _Stream:
    n_channels: int
    n_value_bytes: int | None
    """Bytes of one value; None for strings."""


def check_xdf(data: bytes, where: str) -> None:
    """Walk every chunk of a file.

    Raises:
        RecordingError: it is not XDF, is cut off, or contradicts itself.
    """
    _Walk(memoryview(data), where).run()


class _Walk:
    """One pass over the chunks; ``_at`` is the position in bytes."""

    def __init__(self, data: memoryview, where: str) -> None:
        self._data = data
        self._where = where
        self._at = 0
        self._streams: dict[int, _Stream] = {}

    def run(self) -> None:
        if bytes(self._data[: len(MAGIC)]) != MAGIC:
            self._refuse(f"begins with {bytes(self._data[:4])!r}, wanted {MAGIC!r} (an XDF file)")
        self._at = len(MAGIC)
        while self._at < len(self._data):
            start = self._at
            try:
                n_bytes = self._varlen(len(self._data))
            except IndexError:
                self._cut_off(start)
            stop = self._at + n_bytes
            if stop > len(self._data):
                self._cut_off(start)
            try:
                self._chunk(stop)
            except IndexError:
                self._refuse(f"the chunk at byte {start} ends in the middle of a field")
            if self._at != stop:
                self._refuse(
                    f"the chunk at byte {start} holds {self._at - start} bytes of content where"
                    f" it says {stop - start}"
                )

    def _chunk(self, stop: int) -> None:
        tag = int.from_bytes(self._take(2, stop), "little")
        if tag == TAG_FILE_HEADER:
            self._parse(self._take(stop - self._at, stop))
            return
        if tag not in (TAG_STREAM_HEADER, TAG_SAMPLES, TAG_CLOCK, TAG_FOOTER):
            self._at = stop  # boundaries, and what later versions may add
            return
        number = int.from_bytes(self._take(4, stop), "little")
        if tag == TAG_STREAM_HEADER:
            self._header(number, self._take(stop - self._at, stop))
            return
        stream = self._streams.get(number)
        if stream is None:
            self._refuse(f"has a chunk of stream {number} at byte {self._at} before its header")
        if tag == TAG_SAMPLES:
            self._samples(stream, stop)
        elif tag == TAG_CLOCK:
            self._take(16, stop)
        else:
            self._at = stop  # a footer only repeats what is known

    def _header(self, number: int, content: bytes) -> None:
        if number in self._streams:
            self._refuse(f"describes stream {number} twice")
        info = self._parse(content)
        said = {key: info.findtext(key, "") for key in ("channel_count", "channel_format", "name")}
        try:
            n_channels = int(said["channel_count"])
            float(info.findtext("nominal_srate", ""))
        except ValueError:
            self._refuse(f"stream {number} has no channel count or no rate in its header")
        if not 0 <= n_channels <= MAX_CHANNELS:
            self._refuse(f"stream {number} has {n_channels} channels, wanted up to {MAX_CHANNELS}")
        dtype = NUMERIC_FORMATS.get(said["channel_format"])
        if dtype is None and said["channel_format"] != "string":
            self._refuse(f"stream {number} has the unknown format {said['channel_format']!r}")
        self._streams[number] = _Stream(n_channels, None if dtype is None else dtype.itemsize)

    def _parse(self, content: bytes) -> ElementTree.Element:
        text = content.decode("utf-8", "replace")
        if len(text) > MAX_HEADER_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
            self._refuse(f"the header before byte {self._at} is too long or defines entities")
        try:
            return ElementTree.fromstring(text)  # noqa: S314 - bounded, without entities
        except (ElementTree.ParseError, ValueError) as error:
            self._refuse(f"the header before byte {self._at} is not XML ({error})")

    def _samples(self, stream: _Stream, stop: int) -> None:
        n_samples = self._varlen(stop)
        n_left = stop - self._at
        if stream.n_value_bytes is None:
            if n_samples > n_left:
                raise IndexError
            for _ in range(n_samples):
                self._stamp(stop)
                for _ in range(stream.n_channels):
                    self._take(self._varlen(stop), stop)
            return
        n_values = stream.n_channels * stream.n_value_bytes
        for n_stamp in (8, 0):  # nearly always all samples have a stamp, or none has
            n_each = 1 + n_stamp + n_values
            if n_samples * n_each == n_left:
                sizes = np.frombuffer(self._data[self._at : stop], dtype=np.uint8)[::n_each]
                if (sizes == n_stamp).all():
                    self._at = stop
                    return
        if n_samples * (1 + n_values) > n_left:
            raise IndexError
        for _ in range(n_samples):
            self._stamp(stop)
            self._take(n_values, stop)

    def _stamp(self, stop: int) -> None:
        size = self._take(1, stop)[0]
        if size not in (0, 8):
            self._refuse(f"has a stamp of {size} bytes before byte {self._at}, wanted 0 or 8")
        self._take(size, stop)

    def _varlen(self, stop: int) -> int:
        size = self._take(1, stop)[0]
        if size not in _VARLEN:
            self._refuse(f"has a length of {size} bytes before byte {self._at}, wanted 1, 4 or 8")
        return int(_VARLEN[size].unpack(self._take(size, stop))[0])

    def _take(self, n_bytes: int, stop: int) -> bytes:
        start = self._at
        if start + n_bytes > stop:
            raise IndexError
        self._at = start + n_bytes
        return bytes(self._data[start : self._at])

    def _cut_off(self, start: int) -> NoReturn:
        self._refuse(
            f"is cut off: {len(self._data)} bytes end inside the chunk at byte {start};"
            f" its first {start} bytes are whole and can be read alone"
        )

    def _refuse(self, what: str) -> NoReturn:
        raise RecordingError(f"{self._where}: {what}")
