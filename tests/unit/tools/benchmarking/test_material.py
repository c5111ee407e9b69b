from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.bundle import load_bundle
from pipeline.errors import BundleError, RecordingError, UsageError
from runtime.engine import open_engine
from tests.bundles import RATE_HZ, ctc_spec, make_bundle
from tests.recordings import noise, trial_markers, write_recording
from tests.simulated_spec import simulated_spec
from tools.benchmarking.material import (
    golden_material,
    recorded_material,
    simulated_material,
    simulated_reel,
)

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [(100, "text:ab a"), (600, "text:end"), (700, "text:b"), (1100, "text:end")]


def test_golden_windows_are_enough_to_time_and_not_to_judge(tmp_path: Path):
    make_bundle(tmp_path / "b.eegb")
    engine = open_engine(tmp_path / "b.eegb")
    found = golden_material(engine, load_bundle(tmp_path / "b.eegb"))
    assert found.windows.shape[1:] == (20, 4)
    assert (found.reels, found.references, found.constant_error) == ((), [], None)
    assert "nothing was decoded" in found.notes[0]


def test_a_recording_gives_windows_and_what_was_meant(tmp_path: Path):
    make_bundle(tmp_path / "b.eegb")
    path = write_recording(tmp_path / "r.xdf", noise(1500), TEXTS)
    found = recorded_material(open_engine(tmp_path / "b.eegb"), [path])
    assert found.references == ["ab a", "b"]
    assert found.windows.shape == (1500 // 20, 20, 4)
    assert found.measured[0] is found.windows
    assert found.constant_error is not None
    assert 0.0 < found.constant_error <= 1.0
    assert found.notes[-1] == "ranges of whole numbers: measured on r.xdf"


def test_a_recording_that_is_there_twice_would_count_twice(tmp_path: Path):
    make_bundle(tmp_path / "b.eegb")
    path = write_recording(tmp_path / "r.xdf", noise(1500), TEXTS)
    with pytest.raises(RecordingError, match="wanted each recording once"):
        recorded_material(open_engine(tmp_path / "b.eegb"), [path, path])


def test_trials_of_a_speller_can_be_chosen(tmp_path: Path):
    make_bundle(tmp_path / "b.eegb", head="selection")
    path = write_recording(tmp_path / "r.xdf", noise(2000), trial_markers(2000))
    engine = open_engine(tmp_path / "b.eegb")
    whole = recorded_material(engine, [path])
    assert whole.references[:4] == ["A", "B", " ", "A"]
    assert recorded_material(engine, [path], trials=frozenset({1})).references == ["B"]
    assert whole.constant_error == pytest.approx(
        1 - whole.references.count("A") / len(whole.references)
    )


def test_a_recording_without_truth_or_of_another_rate_is_refused(tmp_path: Path):
    make_bundle(tmp_path / "b.eegb")
    path = write_recording(tmp_path / "r.xdf", noise(1500))
    with pytest.raises(RecordingError, match="no text: markers"):
        recorded_material(open_engine(tmp_path / "b.eegb"), [path])
    make_bundle(tmp_path / "fast.eegb", spec=ctc_spec(rate_hz=2 * RATE_HZ))
    with pytest.raises(BundleError, match="rate is 250 Hz, the bundle 'tiny-ctc' wants 500 Hz"):
        recorded_material(open_engine(tmp_path / "fast.eegb"), [path])


def test_the_simulated_person_types_for_no_speller_and_no_other_headset(tmp_path: Path):
    make_bundle(tmp_path / "s.eegb", head="selection")
    with pytest.raises(UsageError, match="the bundle 'tiny-selection' selects; wanted recordings"):
        simulated_material(open_engine(tmp_path / "s.eegb"), n_texts=1)
    make_bundle(tmp_path / "b.eegb")
    with pytest.raises(BundleError, match="the simulated person: has channels"):
        simulated_material(open_engine(tmp_path / "b.eegb"), n_texts=1)


def test_a_simulated_session_is_handed_over_whole_a_hop_at_a_time():
    class Engine:
        spec = simulated_spec()

    found = simulated_reel(Engine(), "ab", 5)  # type: ignore[arg-type]
    stops = [chunk.stop for chunk in found.chunks]
    assert [chunk.first for chunk in found.chunks] == [0, *stops[:-1]]
    assert stops[-1] == found.n_samples == len(found.samples)
    (item,) = found.items
    assert (item.reference, item.start, item.stop) == ("ab", 0, found.n_samples)
    assert np.isfinite(found.samples).all()
