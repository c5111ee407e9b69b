from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import RecordingError
from runtime.recordings.source import RecordingSource
from tests.ssvep_recordings import SYMBOLS, write_layout, write_session
from tools.calibration.calibrate import Calibration, calibrate_ssvep
from tools.calibration.report import figures_of, finding_of, report_lines
from tools.recordings.labelled_trials import Recording, read_recording
from tools.recordings.layout import SsvepLayout, read_layout

if TYPE_CHECKING:
    from pathlib import Path


def sessions(tmp_path: Path, *seeds: int, **options: object) -> list[Recording]:
    found = []
    for seed in seeds:
        path = write_session(tmp_path / f"{seed}.npy", seed=seed, **options)
        found.append(read_recording(RecordingSource(path), name=path.name, stimulus="stim:on"))
    return found


def layout_in(tmp_path: Path, **changes: object) -> SsvepLayout:
    parsed = read_layout(write_layout(tmp_path / "keys.layout", **changes))
    assert isinstance(parsed, SsvepLayout)
    return parsed


def calibrated(tmp_path: Path, *seeds: int, **options: object) -> Calibration:
    recordings = sessions(tmp_path, *seeds, **options)
    return calibrate_ssvep(recordings, layout_in(tmp_path), n_shuffles=10)


def test_a_responding_person_is_read_and_the_control_is_not(tmp_path: Path) -> None:
    calibration = calibrated(tmp_path, 1, 2, 3)
    figures = figures_of(calibration)
    assert figures["validation"] == "leave one recording out"
    assert [f["held_out"] for f in figures["folds"]] == ["1.npy", "2.npy", "3.npy"]
    assert figures["accuracy"] > 0.9
    assert figures["shuffled"]["highest"] < 0.45
    assert figures["finding"] == "above chance"
    assert calibration.spec.vocabulary == SYMBOLS
    assert calibration.window.offset_samples == 35
    assert calibration.window.checkpoints_samples[-1] == 250
    lines = "\n".join(report_lines(figures))
    assert "leave one recording out, 72 trials of 6 symbols" in lines


def test_without_a_response_nothing_is_above_chance(tmp_path: Path) -> None:
    assert finding_of(calibrated(tmp_path, 1, 2, amplitude=0.0)) == "not above chance"


def test_one_recording_is_cut_into_folds_by_trial(tmp_path: Path) -> None:
    calibration = calibrated(tmp_path, 1)
    assert figures_of(calibration)["validation"] == "k-fold by trial"
    assert len(np.unique(calibration.folds)) == 4


def test_posteriors_are_honest(tmp_path: Path) -> None:
    calibration = calibrated(tmp_path, 1, 2, 3, amplitude=0.4)
    posterior = np.exp(calibration.scores.max(axis=2))
    right = calibration.scores.argmax(axis=2) == calibration.data.labels[:, np.newaxis]
    assert abs(posterior.mean() - right.mean()) < 0.1


def test_max_s_sets_the_window_and_adds_a_last_look(tmp_path: Path) -> None:
    recordings = sessions(tmp_path, 1, 2)
    calibration = calibrate_ssvep(recordings, layout_in(tmp_path), max_s=0.44, n_shuffles=0)
    assert calibration.window.checkpoints_samples == (50, 75, 100, 110)
    assert calibration.data.windows.shape[1] == 250  # learns from all there is


def test_a_max_s_longer_than_the_trials_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"--max-s 1.1: the trials hold 1.02 s"):
        calibrate_ssvep(sessions(tmp_path, 1), layout_in(tmp_path), max_s=1.1)


def test_short_trials_shorten_the_default_window(tmp_path: Path) -> None:
    layout = layout_in(tmp_path, response_delay_s=0.4)
    calibration = calibrate_ssvep(sessions(tmp_path, 1), layout, n_shuffles=0)
    assert calibration.window.offset_samples == 100
    assert calibration.window.length_samples == 175  # 0.76 s are there


def test_labels_that_are_not_in_the_layout_are_named(tmp_path: Path) -> None:
    strange = sessions(tmp_path, 1, symbols=("A", "B", " ", "x:y", "<backspace>", "?"))
    with pytest.raises(RecordingError, match=r"1.npy: label '\?' is not a symbol of the layout"):
        calibrate_ssvep(strange, layout_in(tmp_path))


def test_a_symbol_without_trials_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="symbol '.*' has 0 usable trials in 1 recordings"):
        calibrate_ssvep(sessions(tmp_path, 1), layout_in(tmp_path), trials=frozenset(range(3)))


def test_a_flicker_too_fast_for_the_rate_is_refused(tmp_path: Path) -> None:
    slow = sessions(tmp_path, 1, rate_hz=20.0)
    with pytest.raises(RecordingError, match="symbol ' ' flickers at 10 Hz, wanted less than half"):
        calibrate_ssvep(slow, layout_in(tmp_path))


def test_a_recording_without_labels_is_refused(tmp_path: Path) -> None:
    [one] = sessions(tmp_path, 1)
    silent = Recording(one.name, one.rate_hz, one.channels, one.samples, (), ())
    with pytest.raises(
        RecordingError, match="none of the chosen trials has a label: and a stim:on"
    ):
        calibrate_ssvep([silent], layout_in(tmp_path))
