from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import RecordingError
from tests.given import needs_data, recording
from tests.text_recordings import write_array
from tools.training.data.settings import DataSettings
from tools.training.data.trial_statistics import (
    read_trials,
    split_trials,
    trial_lines,
    trial_statistics,
)


def write_trials(path: Path, labels: str, *, seed: int = 0) -> Path:
    markers = [("stim:on", 40)]
    for k, label in enumerate(labels):
        at = 100 + 200 * k
        markers += [("trial:start", at), ("stim:on", at + 20)]
        markers += [] if label == "-" else [(f"label:{label}", at)]
    return write_array(path, [], markers=markers, seed=seed)


def test_trials_are_counted_by_class_and_session_and_split_alike(tmp_path: Path) -> None:
    one = write_trials(tmp_path / "sub-1_ses-a_eeg.npy", "ababababab")
    other = write_trials(tmp_path / "sub-1_ses-b_eeg.npy", "aabb-aabb", seed=1)
    settings = DataSettings(held_out=0.25)
    trials, problems = read_trials([one, other], settings)
    assert len(trials) == 18
    assert problems == (f"{other}: 1 of 9 trials have no label, wanted one",)
    parts = split_trials(trials, settings)
    found = trial_statistics(trials, parts, problems)
    assert found["classes"] == {
        "a": {"count": 9, "share": 0.5},
        "b": {"count": 9, "share": 0.5},
    }
    assert [(row["session"], row["trials"]) for row in found["sessions"]] == [("a", 10), ("b", 8)]
    assert found["trial_s"]["least"] == 2.0
    assert found["trial_s"]["most"] == (3000 - 1700) / 100
    assert found["split"]["held out"]["trials"] in {4, 5}
    assert set(found["split"]["held out"]["classes"]) == {"a", "b"}
    by_session = split_trials(trials, DataSettings(split_by="session", held_out=0.5))
    assert {len(own) for own in by_session.values()} == {8, 10}
    lines = "\n".join(trial_lines(found))
    assert "2 recordings, 18 labelled trials of 2 to 13 s" in lines
    assert "'a' 50.00%" in lines


def test_without_starts_a_stimulus_is_a_trial(tmp_path: Path) -> None:
    markers = [("label:x", 10), ("stim:on", 20), ("label:y", 300), ("stim:on", 320)]
    trials, _ = read_trials([write_array(tmp_path / "a.npy", [], markers=markers)], DataSettings())
    assert [(t.text, t.number, t.length_s) for t in trials] == [("x", 0, 3.0), ("y", 1, 26.8)]


def test_no_labelled_trials_is_an_error_that_says_why(tmp_path: Path) -> None:
    path = write_trials(tmp_path / "a.npy", "--")
    with pytest.raises(RecordingError, match="no labelled trials in 2 recordings\n.*2 of 2 trials"):
        read_trials([path, tmp_path / "missing.npy"], DataSettings())
    with pytest.raises(RecordingError, match="1 subject in the data"):
        split_trials(
            read_trials([write_trials(tmp_path / "b.npy", "ab")], DataSettings())[0],
            DataSettings(split_by="subject"),
        )


@needs_data
def test_the_given_spellers_have_every_class_in_every_run() -> None:
    runs = [recording(f"motor_imagery_run{k}_raw.fif") for k in (1, 2)]
    trials, problems = read_trials(runs, DataSettings())
    assert (len(trials), problems) == (40, ())
    parts = split_trials(trials, DataSettings(split_by="session", held_out=0.5))
    for own in parts.values():
        assert sorted(trials[k].text for k in own) == ["a"] * 10 + ["b"] * 10
