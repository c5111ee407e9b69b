from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import RecordingError
from pipeline.filters import FilterChain
from runtime.recordings.source import RecordingSource
from tests.ssvep_recordings import SYMBOLS, write_layout, write_session
from tests.unit.tools.training.p300_session import write_p300_layout, write_p300_session
from tools.recordings.labelled_trials import Whole, read_recording, read_whole
from tools.recordings.layout import read_layout
from tools.training.classifier.fit import trial_spec
from tools.training.data.trial_windows import stimulus_windows, symbol_windows
from tools.training.recipe import read_recipe


def p300(tmp_path: Path, text: str = "AD") -> tuple[Whole, object]:
    path = write_p300_session(tmp_path / "p.npy", text=text, n_rounds=2)
    whole = read_whole(RecordingSource(path), name=path.name)
    layout = read_layout(write_p300_layout(tmp_path / "p.layout"))
    recipe = read_recipe("eegnet-p300", {"signal.line_hz": 40.0})
    spec = trial_spec(recipe, layout, rate_hz=whole.rate_hz, channels=whole.channels)
    return whole, spec


def test_a_window_a_flash_labelled_by_what_was_meant(tmp_path: Path) -> None:
    whole, spec = p300(tmp_path)
    windows = stimulus_windows([whole], ["p"], spec)
    assert windows.samples.shape == (16, 80, 3)
    assert windows.trials.tolist() == [0] * 8 + [1] * 8
    meant = {"A": {"r0", "c0"}, "D": {"r1", "c1"}}
    for label, trial, group in zip(windows.labels, windows.trials, windows.groups, strict=True):
        assert label == (group in meant["AD"[trial]])
    filtered = FilterChain(spec).push(whole.samples)
    onset = next(m.index for m in whole.markers if m.text.startswith("stim:"))
    np.testing.assert_array_equal(windows.samples[0], filtered[onset : onset + 80])


def test_flashes_over_a_gap_or_without_a_label_are_left_out(tmp_path: Path) -> None:
    whole, spec = p300(tmp_path)
    onset = next(m.index for m in whole.markers if m.text.startswith("stim:"))
    gap = replace(whole, spoilt=((onset + 5, onset + 6),))
    found = stimulus_windows([gap], ["p"], spec)
    assert (len(found), found.n_skipped) == (15, 1)
    mute = replace(whole, markers=tuple(m for m in whole.markers if "label" not in m.text))
    with pytest.raises(RecordingError, match="no labelled trial whose window is whole"):
        stimulus_windows([mute], ["p"], spec)


def test_recordings_count_their_trials_on(tmp_path: Path) -> None:
    whole, spec = p300(tmp_path)
    windows = stimulus_windows([whole, whole], ["p", "q"], spec)
    assert sorted(set(windows.trials.tolist())) == [0, 1, 2, 3]
    assert windows.runs.tolist() == [0] * 16 + [1] * 16
    chosen = windows[windows.trials == 3]
    assert (len(chosen), len(chosen.groups)) == (8, 8)


def test_a_label_that_is_no_symbol_is_refused(tmp_path: Path) -> None:
    whole, spec = p300(tmp_path)
    with pytest.raises(RecordingError, match="label 'A' is not a symbol"):
        markers = tuple(m for m in whole.markers)
        import msgspec

        stimulus_windows(
            [replace(whole, markers=markers)],
            ["p"],
            msgspec.structs.replace(spec, vocabulary=("B", "C", "D")),
        )


def test_a_window_a_trial_with_its_symbol(tmp_path: Path) -> None:
    path = write_session(tmp_path / "s.npy", seed=0, n_repeats=2)
    recording = read_recording(RecordingSource(path), name=path.name, stimulus="stim:on")
    layout = read_layout(write_layout(tmp_path / "s.layout"))
    spec = trial_spec(
        read_recipe("eegnet-ssvep"), layout,
        rate_hz=recording.rate_hz, channels=recording.channels,
    )  # fmt: skip
    windows = symbol_windows([recording, recording], spec)
    assert windows.samples.shape == (4 * len(SYMBOLS), 250, 5)
    first = [layout.vocabulary.index(t.label) for t in recording.labelled]
    assert windows.labels.tolist() == first * 2
    assert windows.groups == ()
