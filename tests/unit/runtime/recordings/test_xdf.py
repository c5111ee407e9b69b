"""An XDF file that cannot be used is refused in one sentence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import RecordingError
from runtime.recordings.source import RecordingSource, read_recording
from runtime.recordings.xdf_writer import XdfWriter, stream_header
from tests.recording_files import LABELS, RATE_HZ, eeg, refused_or_read, write


def no_eeg(path: Path) -> None:
    write(path, kind="Gaze", labels=("x", "y", "z"))
    writer = XdfWriter(path, overwrite=True)
    for name in ("a", "b"):
        header = stream_header(
            name=name, kind="Gaze", rate_hz=9.0, channel_format="float32", n_channels=1
        )
        number = writer.add_stream(header, channel_format="float32", n_channels=1)
        writer.write_samples(number, np.zeros((9, 1), np.float32), np.arange(9.0))
    writer.close()


def string_eeg(path: Path) -> None:
    writer = XdfWriter(path)
    header = stream_header(name="c", kind="EEG", rate_hz=9.0, channel_format="string", n_channels=1)
    writer.write_strings(
        writer.add_stream(header, channel_format="string", n_channels=1), ["a"], [1.0]
    )
    writer.close()


def no_samples(path: Path) -> None:
    write(path, values=np.empty((0, 3), np.float32))


def no_channels(path: Path) -> None:
    write(path, values=np.empty((40, 0), np.float32), labels=())


def same_labels(path: Path) -> None:
    write(path, labels=("Cz", "Fz", "Cz"))


def bad_stamps(path: Path) -> None:
    stamps = 50.0 + np.arange(400) / RATE_HZ
    stamps[[7, 9]] = np.nan, np.inf
    write(path, stamps=stamps)


def bad_inputs(path: Path) -> None:
    writer = XdfWriter(path)
    header = stream_header(
        name="c", kind="EEG", rate_hz=9.0, channel_format="float32", channels=["A"]
    )
    first = writer.add_stream(header, channel_format="float32", n_channels=1)
    second = writer.add_strings("eegscribe-inputs", kind="eegscribe")
    writer.write_samples(first, np.zeros((9, 1), np.float32), np.arange(9.0))
    writer.write_strings(second, ['{"marker": {"text": "a"}}'], [1.0])
    writer.close()


def text_file(path: Path) -> None:
    path.write_text("time,Fz,Cz\n0,1,2\n")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (no_eeg, "no EEG stream of type EEG with a regular rate; it has 'a' (Gaze), 'b' (Gaze)"),
        (string_eeg, "no EEG stream"),
        (no_samples, "has no samples"),
        (no_channels, "has no samples"),
        (same_labels, "several channels named Cz"),
        (bad_stamps, "2 of 400 stamps of 'cap' are no numbers"),
        (bad_inputs, "damaged inside"),
        (text_file, "begins with b'time', wanted b'XDF:'"),
        (Path.touch, "begins with b''"),
        (lambda _path: None, "No such file"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "a.xdf"
    make(path)
    with pytest.raises(RecordingError) as refused:
        RecordingSource(path).open(None)
    message = str(refused.value)
    assert said in message
    assert message.startswith(str(path))
    assert "\n" not in message


def test_a_file_cut_off_anywhere_is_refused_but_between_chunks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf", values=eeg(64))
    whole = path.read_bytes()
    n_read = 0
    for n_bytes in range(0, len(whole), 7):
        path.write_bytes(whole[:n_bytes])
        if not refused_or_read(path):
            n_read += 1
            assert RecordingSource(path).open(None).channels == LABELS
    assert n_read <= 8  # the few cuts of this step that fall between two chunks


def test_a_cut_off_file_says_which_part_of_it_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf", markers=[])
    whole = path.read_bytes()
    path.write_bytes(whole[:4000])
    with pytest.raises(
        RecordingError, match=r"cut off: 4000 bytes .* its first (\d+) bytes"
    ) as told:
        read_recording(path)
    n_whole = int(str(told.value).split("its first ")[1].split()[0])
    path.write_bytes(whole[:n_whole])
    assert 0 < len(read_recording(path).values) < 400


def test_absurd_sizes_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf", values=eeg(64))
    whole = path.read_bytes()
    at = whole.index(b"\x04", whole.index(b"</info>", whole.index(b"marks")))  # the next chunk
    for absurd in (b"\x08" + b"\xff" * 8, b"\x04" + b"\xff" * 4, b"\x07"):
        path.write_bytes(whole[:at] + absurd + whole[at + len(absurd) :])
        assert refused_or_read(path)
    many = whole.replace(b"<channel_count>3<", b"<channel_count>%d<" % 10**15)
    path.write_bytes(many)
    assert refused_or_read(path)


def test_headers_that_define_entities_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf", values=eeg(64))
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><info>'
    whole = path.read_bytes()
    header = b'<?xml version="1.0"?><info><version>1.0</version></info>'
    assert len(header) + len(bomb) < 256
    path.write_bytes(
        whole.replace(
            bytes([len(header) + 2]) + b"\x01\x00" + header,
            bytes([len(header) + len(bomb) + 2]) + b"\x01\x00" + bomb + header,
        )
    )
    with pytest.raises(RecordingError, match="defines entities"):
        read_recording(path)


def test_a_packed_recording_reads_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(write(tmp_path / "a.xdf").read_bytes())
    for name in ("a.xdfz", "a.xdf.gz"):
        (tmp_path / name).write_bytes(packed)
        assert len(read_recording(tmp_path / name).values) == 400
        for damaged in (packed[:-50], packed[:30] + b"\x00\x00\x00" + packed[33:], b"no gzip"):
            (tmp_path / name).write_bytes(damaged)
            with pytest.raises(RecordingError):
                read_recording(tmp_path / name)
