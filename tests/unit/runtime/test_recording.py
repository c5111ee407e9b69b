"""A recording is read to the letter, or refused in one sentence."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from pipeline.errors import RecordingError
from pipeline.values import Event, Marker
from runtime import recording_mne
from runtime.recorder import Recorder
from runtime.recording import RecordingSource, read_recording
from runtime.source import RawStream, drain
from runtime.xdf_writer import XdfWriter, stream_header
from tests.crashing import crash
from tests.given import needs_data, recording

RATE_HZ = 100.0
LABELS = ("Fz", "Cz", "Pz")


def eeg(n_samples: int = 400, *, seed: int = 3) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 20, (n_samples, len(LABELS))).astype(np.float32)


def write(
    path: Path,
    *,
    values: NDArray[np.generic] | None = None,
    stamps: NDArray[np.float64] | None = None,
    markers: list[tuple[str, float]] | None = None,
    labels: tuple[str, ...] = LABELS,
    unit: str = "microvolts",
    channel_format: str = "float32",
    kind: str = "EEG",
    offsets: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], []),
) -> Path:
    """Write a foreign XDF file; ``offsets`` are clock offsets of EEG and markers."""
    values = eeg() if values is None else values
    stamps = 50.0 + np.arange(len(values)) / RATE_HZ if stamps is None else stamps
    markers = (
        [("stim:on", 51.0), ("label: a", 51.0), ("trial:end", 52.5)] if markers is None else markers
    )
    writer = XdfWriter(path, overwrite=True)
    header = stream_header(
        name="cap", kind=kind, rate_hz=RATE_HZ, channel_format=channel_format, unit=unit,
        channels=labels, n_channels=values.shape[1],
    )  # fmt: skip
    first = writer.add_stream(header, channel_format=channel_format, n_channels=values.shape[1])
    header = stream_header(
        name="marks", kind="Markers", rate_hz=0.0, channel_format="string", n_channels=1
    )
    second = writer.add_stream(header, channel_format="string", n_channels=1)
    for start in range(0, len(values), 32):
        writer.write_samples(first, values[start : start + 32], stamps[start : start + 32])
    for text, stamp in markers:
        writer.write_strings(second, [text], [stamp])
    for number, measured in ((first, offsets[0]), (second, offsets[1])):
        for at_s, offset_s in measured:
            writer.write_clock_offset(number, at_s, offset_s)
    writer.close()
    return path


def read(source: RecordingSource) -> tuple[NDArray[np.float32], list[Marker], list[Event]]:
    """Drain a source, and check what every batch promises."""
    source.open(None)
    samples, markers, events = [], [], []
    n_samples = 0
    for batch in drain(source):
        assert batch.first == n_samples
        assert batch.samples.dtype == np.float32
        assert batch.samples.flags.c_contiguous
        n_samples += len(batch.samples)
        for given in (*batch.markers, *batch.events):
            assert batch.first <= given.known_at <= n_samples
        samples.append(batch.samples.copy())
        markers += batch.markers
        events += batch.events
    source.close()
    return np.concatenate(samples), markers, events


def test_an_xdf_recording_comes_back_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf")
    source = RecordingSource(path, chunk_samples=7)
    info = source.open(None)
    assert (info.name, info.rate_hz, info.channels, info.unit) == (
        "cap", RATE_HZ, LABELS, "microvolts",
    )  # fmt: skip
    samples, markers, events = read(RecordingSource(path, chunk_samples=7))
    np.testing.assert_array_equal(samples, eeg())
    assert markers == [
        Marker("stim:on", 100, 100),
        Marker("label: a", 100, 100),
        Marker("trial:end", 250, 250),
    ]
    assert events == []
    assert source.lsl_time(150) == pytest.approx(51.5, abs=1e-6)


@pytest.mark.parametrize("chunk_samples", [1, 33, 400, 10_000])
def test_chunks_change_nothing(tmp_path: Path, chunk_samples: int) -> None:
    stamps = np.delete(50.0 + np.arange(450) / RATE_HZ, np.s_[330:380])
    path = write(tmp_path / "a.xdf", stamps=stamps[:400])
    samples, markers, events = read(RecordingSource(path, chunk_samples=chunk_samples))
    whole = read(RecordingSource(path, chunk_samples=400))
    np.testing.assert_array_equal(samples, whole[0])
    assert (markers, events) == whole[1:]
    assert [(event.kind, event.sample) for event in events] == [("gap", 330)]
    assert events[0].figures["n_samples"] == 50


@pytest.mark.parametrize(
    ("unit", "to_uv"),
    [
        ("V", 1e6),
        ("mV", 1e3),
        ("µV", 1),
        ("uV", 1),
        ("microvolts", 1),
        ("nV", 1e-3),
        ("", 1),
        ("bananas", 1),
    ],
)
def test_units_become_microvolts_and_a_missing_one_is_told(
    tmp_path: Path, unit: str, to_uv: float
) -> None:
    samples, _, events = read(RecordingSource(write(tmp_path / "a.xdf", unit=unit)))
    np.testing.assert_allclose(samples, eeg() * to_uv, rtol=1e-6)
    assert [event.kind for event in events] == ["unit_assumed"] * (unit in ("", "bananas"))


def test_channels_are_picked_and_ordered_by_label(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf")
    samples, _, _ = read(RecordingSource(path, channels=("Pz", "Fz")))
    np.testing.assert_array_equal(samples, eeg()[:, [2, 0]])
    with pytest.raises(RecordingError, match=r"a\.xdf: lacks Oz; it has Fz, Cz, Pz"):
        RecordingSource(path, channels=("Fz", "Oz")).open(None)


def test_markers_are_placed_with_both_clocks_corrected(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.xdf",
        markers=[("stim:on", 1000.0 + 51.0)],
        offsets=([(50.0 + k, 7.0) for k in range(9)], [(1050.0 + k, -993.0) for k in range(9)]),
    )
    _, markers, _ = read(RecordingSource(path))
    assert [marker.index for marker in markers] == [100]


def test_markers_keep_their_place_when_a_clock_is_reset_in_the_middle(tmp_path: Path) -> None:
    stamps = np.concatenate((9000 + np.arange(1000) / RATE_HZ, 20 + np.arange(1000) / RATE_HZ))
    # The recorder's clock goes on: 100 … 110 s before, 110 … 120 s after.
    clocks = [(9000.0 + k, -8900.0) for k in range(10)] + [(20.0 + k, 90.0) for k in range(10)]
    path = write(
        tmp_path / "a.xdf",
        values=eeg(2000),
        stamps=stamps,
        markers=[("stim:on", 105.0), ("stim:on", 115.0)],
        offsets=(clocks, []),
    )
    _, markers, events = read(RecordingSource(path))
    assert [marker.index for marker in markers] == [500, 1500]
    assert [event.kind for event in events] == ["clock_jump"]


def test_markers_of_a_long_recording_keep_their_place_to_its_end(tmp_path: Path) -> None:
    n_samples = round(2.5 * 3600 * 20)
    stamps = np.delete(np.arange(n_samples + 40) / RATE_HZ, np.s_[500:540])
    path = write(
        tmp_path / "a.xdf",
        values=np.zeros((n_samples, 1), np.float32),
        stamps=stamps,
        labels=("Cz",),
        markers=[("stim:on", float(stamps[k])) for k in (100, 600, 90_000, n_samples - 1)],
    )
    _, markers, _ = read(RecordingSource(path))
    assert [marker.index for marker in markers] == [100, 600, 90_000, n_samples - 1]


def test_a_marker_before_the_first_sample_is_told_and_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf", markers=[("stim:on", 49.0), ("stim:on", 50.001)])
    _, markers, events = read(RecordingSource(path))
    assert markers == [Marker("stim:on", 0, 0)]
    assert [(event.kind, event.figures) for event in events] == [
        ("markers_early", {"n_markers": 1})
    ]


def test_integer_markers_are_taken_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    writer = XdfWriter(path)
    header = stream_header(
        name="c", kind="EEG", rate_hz=100.0, channel_format="int16", channels=["A"]
    )
    first = writer.add_stream(header, channel_format="int16", n_channels=1)
    header = stream_header(
        name="m", kind="Markers", rate_hz=0, channel_format="int32", n_channels=1
    )
    second = writer.add_stream(header, channel_format="int32", n_channels=1)
    writer.write_samples(first, np.arange(100)[:, None], np.arange(100) / RATE_HZ)
    writer.write_samples(second, np.array([[33]]), np.array([0.5]))
    writer.close()
    samples, markers, _ = read(RecordingSource(path))
    np.testing.assert_array_equal(samples[:, 0], np.arange(100))
    assert markers == [Marker("33", 50, 50)]


def test_our_own_recording_gives_back_exactly_what_the_chain_took(tmp_path: Path) -> None:
    raw = RawStream("cap", "cap-1", RATE_HZ, "float32", LABELS, "V")
    recorder = Recorder(tmp_path / "a.xdf", raw, clock=lambda: 50.0)
    stamps = 50.0 + np.arange(400) / RATE_HZ
    values = eeg() * 1e-6
    given = [
        Marker("stim:on", 90, 120),
        Marker("trial:start", 100, 120),
        Marker("label: x", 130, 260),
    ]
    told = [
        Event("stream_found", 0, 0, {"rate_hz": 100.0}),
        Event("gap", 210, 260, {"n_samples": 9}),
    ]
    recorder.event(told[0])
    recorder.samples(values[:250], stamps[:250])
    for marker in given:
        recorder.marker(marker, 51.0)
    recorder.event(told[1])
    recorder.text('{"text":"hallo"}')
    recorder.samples(values[250:], stamps[250:])
    recorder.close()
    samples, markers, events = read(RecordingSource(tmp_path / "a.xdf"))
    np.testing.assert_array_equal(samples, values * np.float32(1e6))
    assert (markers, events) == (given, told)


def test_what_the_recorder_dropped_is_told_and_the_rest_keeps_its_place(tmp_path: Path) -> None:
    writer = XdfWriter(tmp_path / "a.xdf")
    raw = RawStream("cap", "", RATE_HZ, "float32", LABELS)
    header = stream_header(
        name="cap", kind="EEG", rate_hz=100.0, channel_format="float32", channels=LABELS
    )
    first = writer.add_stream(header, channel_format="float32", n_channels=3)
    header = stream_header(
        name="eegscribe-inputs", kind="eegscribe", rate_hz=0, channel_format="string", n_channels=1
    )
    second = writer.add_stream(header, channel_format="string", n_channels=1)
    kept = np.r_[0:100, 150:400]
    writer.write_samples(first, eeg()[kept], kept / RATE_HZ)
    for entry in (
        {"marker": {"text": "stim:on", "index": 60, "known_at": 90}},
        {"dropped": {"first": 100, "n_samples": 50}},
        {"marker": {"text": "stim:on", "index": 120, "known_at": 160}},
        {"marker": {"text": "stim:on", "index": 200, "known_at": 200}},
    ):
        writer.write_strings(second, [json.dumps(entry)], [1.0])
    writer.close()
    assert raw.channels == LABELS
    _, markers, events = read(RecordingSource(tmp_path / "a.xdf"))
    assert [(m.index, m.known_at) for m in markers] == [(60, 90), (100, 110), (150, 150)]
    assert [(e.kind, e.sample, e.figures["n_samples"]) for e in events] == [("overrun", 100, 50)]


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
    header = stream_header(
        name="eegscribe-inputs", kind="eegscribe", rate_hz=0, channel_format="string", n_channels=1
    )
    second = writer.add_stream(header, channel_format="string", n_channels=1)
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


def refused_or_read(path: Path) -> bool:
    """Read a damaged file; True if it was refused, and by one short sentence."""
    try:
        source = RecordingSource(path)
        source.open(None)
        for _ in drain(source):
            pass
    except RecordingError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 600
        return True
    return False


def test_a_file_cut_off_anywhere_is_refused_but_between_chunks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xdf", values=eeg(64))
    whole = path.read_bytes()
    n_read = 0
    for n_bytes in range(0, len(whole), 3):
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


def test_random_damage_never_escapes_and_never_takes_long(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    path = write(tmp_path / "a.xdf", values=eeg(64))
    whole = path.read_bytes()
    began_s = time.monotonic()
    n_refused = 0
    for _ in range(1500):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 6)):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged)
        n_refused += refused_or_read(path)
    assert n_refused > 300
    assert time.monotonic() - began_s < 60


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


@needs_data
def test_the_files_of_the_xdf_project_are_read_or_refused_in_one_sentence() -> None:
    minimal = read_recording(recording("minimal.xdf"))
    np.testing.assert_array_equal(minimal.values[:3, 0], [192, 12, 13])
    assert (minimal.rate_hz, minimal.labels) == (10.0, ("ch1", "ch2", "ch3"))
    _, markers, events = read(RecordingSource(recording("clock_resets.xdf")))
    jumps = [event for event in events if event.kind == "clock_jump"]
    assert [event.sample for event in jumps] == [12_876]
    assert len(markers) == 175
    indices = [marker.index for marker in markers]
    assert indices == sorted(indices)
    assert 0 <= indices[0] < indices[-1] <= 27_815
    with pytest.raises(RecordingError, match="no EEG stream of type EEG"):
        read_recording(recording("empty_streams.xdf"))


@needs_data
@pytest.mark.parametrize(
    ("name", "n_samples", "n_markers"),
    [
        ("ssvep32_run1.xdf", 23_040, 256),
        ("p300_s1.xdf", 60_871, 1215),
        ("labrecorder_openbci.xdf", 49_650, 48),
        ("motor_imagery_run1_raw.fif", 138_752, 80),
    ],
)
def test_given_recordings_come_whole_and_without_gaps(
    name: str, n_samples: int, n_markers: int
) -> None:
    samples, markers, events = read(RecordingSource(recording(name)))
    assert (len(samples), len(markers)) == (n_samples, n_markers)
    assert [event.kind for event in events if event.kind != "unit_assumed"] == []
    assert 1 < np.median(np.abs(samples - np.median(samples, axis=0))) < 1e5


@needs_data
def test_exact_stamps_place_markers_on_their_very_sample() -> None:
    raw = read_recording(recording("p300_s1.xdf"))
    assert raw.stamps is not None
    _, markers, _ = read(RecordingSource(recording("p300_s1.xdf")))
    wanted = [int(np.abs(raw.stamps - at_s).argmin()) for _, at_s in raw.markers]
    assert [marker.index for marker in markers] == wanted


def write_fif(path: Path) -> None:
    info = mne.create_info(list(LABELS), RATE_HZ, "eeg")
    raw = mne.io.RawArray(eeg().T * 1e-6, info, verbose="ERROR")
    raw.set_annotations(mne.Annotations([1.0, 2.5], [0, 0], ["stim:on", "trial:end"]))
    raw.save(path, verbose="ERROR")


def write_brainvision(path: Path) -> None:
    channels = "".join(f"Ch{k + 1}={label},,1,µV\n" for k, label in enumerate(LABELS))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels=3\nSamplingInterval={1e6 / RATE_HZ:g}\n"
        f"[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n[Channel Infos]\n{channels}"
    )
    path.with_suffix(".eeg").write_bytes(eeg().tobytes())
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\n[Marker Infos]\n"
        "Mk1=Comment,stim:on,101,1,0\nMk2=Comment,trial:end,251,1,0\n"
    )


def write_edf(path: Path, *, n_value_bytes: int = 2) -> None:
    """Write EDF+ or BDF+ in records of a second, with the markers in an annotation channel."""
    full, n_notes = 1 << (8 * n_value_bytes - 1), 60
    notes_label = "EDF Annotations" if n_value_bytes == 2 else "BDF Annotations"
    labels = [*LABELS, notes_label]
    columns: list[tuple[int, list[str]]] = [
        (16, labels),
        (80, [""] * 4),
        (8, ["uV", "uV", "uV", ""]),
        (8, ["-200", "-200", "-200", "-1"]),
        (8, ["200", "200", "200", "1"]),
        (8, [str(-full)] * 4),
        (8, [str(full - 1)] * 4),
        (80, [""] * 4),
        (8, ["100", "100", "100", str(n_notes)]),
        (32, [""] * 4),
    ]
    version = b"0       " if n_value_bytes == 2 else b"\xffBIOSEMI"
    fixed = f"{'X X X X':80}{'Startdate 01-JAN-2020 X X X':80}01.01.2000.00.00{256 * 5:<8}"
    fixed += f"{'EDF+C' if n_value_bytes == 2 else 'BDF+C':44}{4:<8}{1:<8}{4:<4}"
    head = version + fixed.encode()
    head += "".join(f"{text:{size}}" for size, texts in columns for text in texts).encode()
    digital = np.round((eeg() + 200) / 400 * (2 * full - 1)).astype(np.int64) - full
    with path.open("wb") as out:
        out.write(head)
        for second in range(4):
            block = digital[second * 100 : second * 100 + 100].T.astype("<i4")
            out.write(block[..., None].view(np.uint8)[..., :n_value_bytes].tobytes())
            notes = f"+{second}\x14\x14\x00"
            notes += {1: "+1\x14stim:on\x14\x00", 2: "+2.5\x14trial:end\x14\x00"}.get(second, "")
            out.write(notes.encode().ljust(n_notes * n_value_bytes, b"\x00"))


def write_bdf(path: Path) -> None:
    write_edf(path, n_value_bytes=3)


def write_eeglab(path: Path) -> None:
    events = np.array(
        [("stim:on", 101.0), ("trial:end", 251.0)], dtype=[("type", object), ("latency", object)]
    )
    places = np.array([(label,) for label in LABELS], dtype=[("labels", object)])
    saved = {
        "setname": "a", "nbchan": 3, "trials": 1, "pnts": 400, "srate": RATE_HZ,
        "xmin": 0.0, "xmax": 3.99, "data": eeg().T, "chanlocs": places, "event": events,
        "epoch": [], "times": np.arange(400) * 10.0, "icawinv": [], "icaweights": [],
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": saved}, appendmat=False)


MNE_FILES = (
    ("a_raw.fif", write_fif),
    ("a.vhdr", write_brainvision),
    ("a.edf", write_edf),
    ("a.bdf", write_bdf),
    ("a.set", write_eeglab),
)


@pytest.mark.parametrize(("name", "make"), MNE_FILES)
def test_what_mne_reads_comes_in_microvolts_with_annotations_as_markers(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    samples, markers, events = read(RecordingSource(tmp_path / name, channels=("Cz", "Fz")))
    np.testing.assert_allclose(samples, eeg()[:, [1, 0]], atol=0.01)
    assert [(m.text.removeprefix("Comment/"), m.index) for m in markers] == [
        ("stim:on", 100),
        ("trial:end", 250),
    ]
    assert events == []


@pytest.mark.parametrize(("name", "make"), MNE_FILES)
def test_damaged_files_that_mne_would_read_never_escape(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    rng = np.random.default_rng(4)
    path = tmp_path / name
    for part in {path, path.with_suffix(".vmrk")} if name.endswith(".vhdr") else {path}:
        whole = part.read_bytes()
        for k in range(4 if name.endswith(".set") else 60):
            damaged = bytearray(whole)
            for at in rng.integers(0, min(len(whole), 3000), 3):
                damaged[at] = int(rng.integers(0, 256))
            part.write_bytes(damaged if k % 2 else whole[: len(whole) * k // 60])
            refused_or_read(path)
        part.write_bytes(whole)


def test_a_file_that_crashes_its_reader_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_eeglab(tmp_path / "a.set")
    monkeypatch.setattr(recording_mne, "_read", crash)
    with pytest.raises(RecordingError, match="its reader crashed"):
        read_recording(tmp_path / "a.set")


@pytest.mark.parametrize(("name", "make"), [entry for entry in MNE_FILES if entry[0] != "a.vhdr"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_cut_off_file_that_mne_would_read_is_refused(
    tmp_path: Path, name: str, make: Callable[[Path], None], share: float
) -> None:
    make(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    assert refused_or_read(tmp_path / name)


def test_fif_tags_that_go_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a_raw.fif"
    write_fif(path)
    data = bytearray(path.read_bytes())
    second = 16 + int.from_bytes(data[8:12], "big")
    data[second + 12 : second + 16] = (16).to_bytes(4, "big")  # its successor is the first's data
    data[28:32] = (second).to_bytes(4, "big")
    path.write_bytes(data)
    assert refused_or_read(path)


SIDECAR = {"rate_hz": RATE_HZ, "channels": LABELS, "unit": "mV"}


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_arrays_come_with_a_sidecar(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, eeg())
    else:
        np.savetxt(path, eeg(), delimiter=",")
    markers = [{"sample": 250, "text": "stim:on"}]
    path.with_suffix(".json").write_text(json.dumps({**SIDECAR, "markers": markers}))
    samples, placed, _ = read(RecordingSource(path))
    np.testing.assert_allclose(samples, eeg() * 1e3, rtol=1e-6)
    assert placed == [Marker("stim:on", 250, 250)]


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        (None, "wanted a sidecar"),
        ("{", "a.json"),
        ({**SIDECAR, "colour": 1}, "colour"),
        ({**SIDECAR, "rate_hz": 0}, "rate 0"),
        ({**SIDECAR, "rate_hz": "fast"}, "rate_hz"),
        ({**SIDECAR, "channels": ["A"]}, "1 channel names for 3 channels"),
    ],
)
def test_a_bad_sidecar_is_refused(tmp_path: Path, sidecar: object, said: str) -> None:
    np.save(tmp_path / "a.npy", eeg())
    if sidecar is not None:
        text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(RecordingError, match=said):
        read_recording(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "values",
    [np.zeros(9), np.zeros((0, 3)), np.array([[{}]], dtype=object), np.zeros((9, 3), complex)],
)
def test_a_bad_array_is_refused(tmp_path: Path, values: NDArray[np.generic]) -> None:
    np.save(tmp_path / "a.npy", values)
    (tmp_path / "a.json").write_text(json.dumps(SIDECAR))
    with pytest.raises(RecordingError):
        read_recording(tmp_path / "a.npy")


def test_an_archive_that_calls_itself_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", eeg())
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    (tmp_path / "a.json").write_text(json.dumps(SIDECAR))
    with pytest.raises(RecordingError, match="not a readable array"):
        read_recording(tmp_path / "a.npy")


def test_unknown_kinds_of_file_are_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"a\.txt: unknown kind of file, wanted one of \.xdf"):
        read_recording(tmp_path / "a.txt")
