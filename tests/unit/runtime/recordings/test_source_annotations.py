"""Annotations that last are spans of text; what else MNE says of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mne
import numpy as np
import pytest

from runtime.recordings.source import RecordingSource, read_recording
from runtime.recordings.xdf_writer import XdfWriter, stream_header
from runtime.source import drain

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE_HZ = 100.0


def write(path: Path, notes: Sequence[tuple[float, float, str]], *, his_id: str = "") -> Path:
    info = mne.create_info(["Fz", "Cz"], RATE_HZ, "eeg")
    if his_id:
        info["subject_info"] = {"his_id": his_id}
    values = np.random.default_rng(0).normal(0, 2e-5, (2, 1000))
    raw = mne.io.RawArray(values, info, verbose="ERROR")
    onsets, durations, texts = zip(*notes, strict=True)
    raw.set_annotations(mne.Annotations(onsets, durations, texts))
    raw.save(path, verbose="ERROR")
    return path


def markers(path: Path) -> list[tuple[int, str]]:
    source = RecordingSource(path)
    source.open(None)
    return [(m.index, m.text) for batch in drain(source) for m in batch.markers]


def test_a_text_that_lasts_is_given_its_end_before_the_next_begins(tmp_path: Path) -> None:
    path = write(tmp_path / "a_raw.fif", [(1.0, 1.0, "text:one"), (2.0, 0.5, "text:a/b: c")])
    assert markers(path) == [
        (100, "text:one"), (200, "text:end"), (200, "text:a/b: c"), (250, "text:end"),
    ]  # fmt: skip


@pytest.mark.parametrize("lasts_s", [0.0, 0.01, 1.0])
def test_a_file_that_marks_ends_itself_is_given_none(tmp_path: Path, lasts_s: float) -> None:
    notes = [(1.0, lasts_s, "text:one"), (2.0, 0.01, "text:end"), (3.0, 2.0, "rest")]
    path = write(tmp_path / "a_raw.fif", notes)
    assert markers(path) == [(100, "text:one"), (200, "text:end"), (300, "rest")]


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Comment/trial:start", "trial:start"),
        ("Comment/text:and/or", "text:and/or"),
        ("Stimulus/S  1", "Stimulus/S  1"),
        ("label:a/stim:on", "label:a/stim:on"),
    ],
)
def test_the_kind_of_a_brainvision_marker_is_left_out_before_ours(
    tmp_path: Path, said: str, heard: str
) -> None:
    assert markers(write(tmp_path / "a_raw.fif", [(1.0, 0.0, said)])) == [(100, heard)]


def test_fif_says_who_it_was(tmp_path: Path) -> None:
    notes = [(1.0, 0.0, "a")]
    assert read_recording(write(tmp_path / "a_raw.fif", notes, his_id="ada")).subject == "ada"
    assert read_recording(write(tmp_path / "b_raw.fif", notes)).subject == ""


@pytest.mark.parametrize("who", ["ada", "", None])
def test_xdf_says_who_it_was(tmp_path: Path, who: str | None) -> None:
    header = stream_header(
        name="cap", kind="EEG", rate_hz=RATE_HZ, channel_format="float32", n_channels=1
    )
    if who is not None:
        described = f"<desc><subject><id>{who}</id></subject></desc>"
        header = header.replace("<desc/>", described)
    writer = XdfWriter(tmp_path / "a.xdf")
    stream = writer.add_stream(header, channel_format="float32", n_channels=1)
    writer.write_samples(stream, np.ones((10, 1), np.float32), np.arange(10) / RATE_HZ)
    writer.close()
    assert read_recording(tmp_path / "a.xdf").subject == (who or "")
