from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import RecordingError
from pipeline.spec import EventWindow, PipelineSpec, SelectionDecoder
from pipeline.values import Marker
from runtime.recordings.source import RecordingSource
from tests.ssvep_recordings import SYMBOLS, TRIAL_SAMPLES, write_session
from tools.calibration.calibrate import PASS_THROUGH
from tools.recordings.labelled_trials import (
    Recording,
    Trial,
    check_alike,
    choose_trials,
    cut_windows,
    find_trials,
    read_recording,
)

if TYPE_CHECKING:
    from pathlib import Path


def marks(*entries: tuple[int, str]) -> list[Marker]:
    return [Marker(text, index, index) for index, text in entries]


def test_a_trial_is_its_first_stimulus_and_its_label_wherever_it_stands() -> None:
    markers = marks(
        (0, "trial:start"), (0, "label:A"), (5, "stim:on"), (9, "stim:on"), (20, "trial:end"),
        (20, "trial:start"), (25, "stim:on"), (30, "label:x:y"),
        (40, "trial:start"), (41, "label:B"),
    )  # fmt: skip
    trials = find_trials(markers, stimulus="stim:on", n_samples=60)
    assert trials == (Trial(0, 5, "A", 20), Trial(1, 25, "x:y", 40), Trial(2, None, "B", 60))


def test_without_trial_markers_each_stimulus_is_a_trial() -> None:
    markers = marks((0, "label:A"), (5, "flash"), (30, "label:B"), (35, "flash"), (50, "trial:end"))
    trials = find_trials(markers, stimulus="flash", n_samples=90)
    assert trials == (Trial(0, 5, "A", 35), Trial(1, 35, "B", 51))


def test_only_chosen_and_labelled_trials_are_used() -> None:
    trials = (Trial(0, 5, "A", 9), Trial(1, 15, None, 19), Trial(2, 25, "B", 29))
    one = Recording("r", 250.0, ("Oz",), np.zeros((40, 1), np.float32), trials, ())
    assert [t.number for t in choose_trials(one, None)] == [0, 2]
    assert [t.number for t in choose_trials(one, frozenset({1, 2}))] == [2]


def spec() -> PipelineSpec:
    return PipelineSpec(
        rate_hz=250.0,
        channels=("Oz",),
        bands=(PASS_THROUGH,),
        window=EventWindow(offset_samples=5, length_samples=10, checkpoints_samples=(10,)),
        decoder=SelectionDecoder(),
        vocabulary=("A", "B"),
    )


@pytest.mark.parametrize(
    ("stop", "spoilt", "is_kept"),
    [
        (25, (), True),
        (24, (), False),  # the next trial begins inside the window
        (25, ((10, 15),), True),  # spoilt up to its first sample
        (25, ((10, 16),), False),
        (25, ((24, 30),), False),
        (25, ((25, 30),), True),
    ],
)
def test_a_window_lies_inside_its_trial_and_holds_no_gap(
    stop: int,
    spoilt: tuple[tuple[int, int], ...],
    is_kept: bool,  # noqa: FBT001
) -> None:
    samples = np.arange(40, dtype=np.float32)[:, np.newaxis]
    trial = Trial(0, 10, "A", stop)
    one = Recording("r", 250.0, ("Oz",), samples, (trial,), spoilt)
    windows, kept = cut_windows(one, (trial,), spec=spec(), offset_samples=5, n_samples=10)
    assert kept.tolist() == [is_kept]
    assert windows[:, :, 0].tolist() == [list(range(15, 25))] * is_kept


def test_a_recording_is_read_whole(tmp_path: Path) -> None:
    path = write_session(tmp_path / "one.npy", seed=1)
    one = read_recording(RecordingSource(path), name="one", stimulus="stim:on")
    np.testing.assert_array_equal(one.samples, np.load(path))
    assert [t.onset for t in one.labelled] == [k * TRIAL_SAMPLES for k in range(24)]
    assert {t.label for t in one.labelled} == set(SYMBOLS)
    assert one.spoilt == ()


def test_samples_that_are_not_finite_are_spoilt(tmp_path: Path) -> None:
    path = write_session(tmp_path / "one.npy", seed=1)
    samples = np.load(path)
    samples[70, 2] = np.nan
    np.save(path, samples)
    one = read_recording(RecordingSource(path), name="one", stimulus="stim:on")
    assert (70, 71) in one.spoilt


@pytest.mark.parametrize(
    ("rate_hz", "channels", "said"),
    [
        (300.0, ("O1", "O2"), "b: 300 Hz, but a has 250 Hz"),
        (250.0, ("O1", "Oz"), "b: its 2 channels differ in O2, Oz from the 2 of a"),
        (250.0, ("O2", "O1"), "b: its 2 channels are in another order from the 2 of a"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(
    rate_hz: float, channels: tuple[str, ...], said: str
) -> None:
    def empty(name: str, rate_hz: float, channels: tuple[str, ...]) -> Recording:
        return Recording(name, rate_hz, channels, np.zeros((0, 2), np.float32), (), ())

    first = empty("a", 250.0, ("O1", "O2"))
    check_alike([first, first])
    with pytest.raises(RecordingError, match=said):
        check_alike([first, empty("b", rate_hz, channels)])
