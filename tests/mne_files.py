"""One small recording in every format that MNE reads."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import scipy.io

from runtime.recordings.source import RecordingSource
from tests.recording_files import LABELS, RATE_HZ, eeg, read, refused_or_read


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
)
"""Name and writer of each kind; EEGLAB's is read in a process of its own, which takes time."""


def check_whole(path: Path) -> None:
    """Read a file that one of the writers here has made."""
    samples, markers, events = read(RecordingSource(path, channels=("Cz", "Fz")))
    np.testing.assert_allclose(samples, eeg()[:, [1, 0]], atol=0.01)
    assert [(m.text.removeprefix("Comment/"), m.index) for m in markers] == [
        ("stim:on", 100),
        ("trial:end", 250),
    ]
    assert events == []


def damage(part: Path, path: Path, *, n_times: int) -> None:
    """Read ``path`` again and again with a few bytes of ``part`` changed, or its end cut off."""
    rng = np.random.default_rng(4)
    whole = part.read_bytes()
    for k in range(n_times):
        damaged = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 3000), 3):
            damaged[at] = int(rng.integers(0, 256))
        part.write_bytes(damaged if k % 2 else whole[: len(whole) * k // n_times])
        refused_or_read(path)
    part.write_bytes(whole)


def cut_is_refused(path: Path, share: float) -> bool:
    """Say whether the first ``share`` of a file is refused."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return refused_or_read(path)
