"""What we write, the field's own reader reads back."""

from __future__ import annotations

import logging
import os
import stat
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pyxdf

from pipeline.errors import RecordingError
from runtime.recordings import xdf_writer
from runtime.recordings.xdf_writer import NUMERIC_FORMATS, XdfWriter, stream_header

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 250.0


def read(path: Path) -> list[dict[str, Any]]:
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    return list(streams)


def add_eeg(writer: XdfWriter, channel_format: str = "float32", n_channels: int = 3) -> int:
    header = stream_header(
        name="cap <&>",
        kind="EEG",
        rate_hz=RATE_HZ,
        channel_format=channel_format,
        channels=[f"C{k}" for k in range(n_channels)],
        unit="microvolts",
        source_id="cap-1\x00\x1b",
    )
    return writer.add_stream(header, channel_format=channel_format, n_channels=n_channels)


def add_markers(writer: XdfWriter) -> int:
    return writer.add_strings("marks")


@pytest.mark.parametrize("channel_format", NUMERIC_FORMATS)
def test_numeric_samples_come_back_bit_for_bit(tmp_path: Path, channel_format: str) -> None:
    rng = np.random.default_rng(1)
    dtype = NUMERIC_FORMATS[channel_format]
    values = rng.integers(-100, 100, (700, 3)).astype(dtype)
    stamps = 1e6 + np.arange(700) / RATE_HZ + rng.normal(0, 0.001, 700)
    writer = XdfWriter(tmp_path / "a.xdf")
    eeg = add_eeg(writer, channel_format)
    for start, stop in ((0, 1), (1, 1), (1, 300), (300, 700)):
        writer.write_samples(eeg, values[start:stop], stamps[start:stop])
    writer.close()
    (stream,) = read(tmp_path / "a.xdf")
    assert stream["time_series"].dtype == dtype
    np.testing.assert_array_equal(stream["time_series"], values)
    np.testing.assert_array_equal(stream["time_stamps"], stamps)
    assert stream["footer"]["info"]["sample_count"] == ["700"]


def test_streams_keep_apart_with_their_strings_offsets_and_names(tmp_path: Path) -> None:
    writer = XdfWriter(tmp_path / "a.xdf")
    eeg, markers = add_eeg(writer), add_markers(writer)
    texts = ["", "stim:on", "text:Zürich 🧠 <ok>", "x" * 300]
    for k, text in enumerate(texts):
        writer.write_samples(eeg, np.full((2, 3), k, np.float32), np.array([k, k + 0.5]))
        writer.write_strings(markers, [text], [k + 0.25])
        writer.write_clock_offset(markers, float(k), -0.5 * k)
    writer.close()
    first, second = read(tmp_path / "a.xdf")
    assert first["info"]["name"] == ["cap <&>"]
    assert first["info"]["source_id"] == ["cap-1\ufffd\ufffd"]
    labels = [c["label"][0] for c in first["info"]["desc"][0]["channels"][0]["channel"]]
    assert labels == ["C0", "C1", "C2"]
    assert [row[0] for row in second["time_series"]] == texts
    assert list(second["time_stamps"]) == [0.25, 1.25, 2.25, 3.25]
    assert second["clock_values"] == [0.0, -0.5, -1.0, -1.5]


def test_a_writer_killed_after_any_chunk_leaves_a_file_that_reads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.xdf"
    writer = XdfWriter(path)
    eeg = add_eeg(writer)
    with caplog.at_level(logging.WARNING):
        for k in range(20):
            writer.write_samples(eeg, np.full((5, 3), k, np.float32), np.arange(5.0) + 5 * k)
            (stream,) = read(path)  # nothing was closed or flushed
            assert len(stream["time_stamps"]) == 5 * (k + 1)
    writer.close()
    assert not caplog.records


def test_boundaries_let_a_reader_find_its_way_again(tmp_path: Path) -> None:
    writer = XdfWriter(tmp_path / "a.xdf")
    eeg = add_eeg(writer, n_channels=64)
    for k in range(40):
        block = np.zeros((500, 64), np.float32)
        writer.write_samples(eeg, block, np.arange(500.0) + 500 * k)
    writer.close()
    runs = (tmp_path / "a.xdf").read_bytes().split(xdf_writer.BOUNDARY)
    assert max(len(run) for run in runs) < 1.3 * xdf_writer.BOUNDARY_EVERY_BYTES
    assert len(read(tmp_path / "a.xdf")[0]["time_stamps"]) == 20000


def test_a_full_disk_is_told_and_leaves_whole_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.xdf"
    writer = XdfWriter(path)
    eeg = add_eeg(writer)
    writer.write_samples(eeg, np.ones((5, 3), np.float32), np.arange(5.0))
    n_whole, write = path.stat().st_size, os.write

    def half(fd: int, data: memoryview) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(fd, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(RecordingError, match="No space left"):
        writer.write_samples(eeg, np.ones((50, 3), np.float32), np.arange(50.0))
    assert path.stat().st_size == n_whole
    monkeypatch.undo()
    writer.close()
    assert len(read(path)[0]["time_stamps"]) == 5


def test_the_file_is_private_and_never_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    XdfWriter(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(RecordingError, match=r"a\.xdf: cannot be written: File exists"):
        XdfWriter(path)
    path.chmod(0o644)
    XdfWriter(path, overwrite=True).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_wrong_shapes_are_the_callers_fault(tmp_path: Path) -> None:
    writer = XdfWriter(tmp_path / "a.xdf")
    eeg = add_eeg(writer)
    with pytest.raises(ValueError, match=r"shape \(2, 4\) must be \(2, 3\)"):
        writer.write_samples(eeg, np.zeros((2, 4), np.float32), np.arange(2.0))
    with pytest.raises(ValueError, match="as many as stamps"):
        writer.write_strings(add_markers(writer), ["a"], [1.0, 2.0])
    with pytest.raises(ValueError, match="'float16' is none of XDF's"):
        writer.add_stream("", channel_format="float16", n_channels=1)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write_samples(eeg, np.zeros((2, 3), np.float32), np.arange(2.0))
