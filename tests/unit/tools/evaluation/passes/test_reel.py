from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from pipeline.errors import RecordingError, UsageError
from runtime.engine import Engine, open_engine
from tests.bundles import ctc_spec, make_bundle, selection_spec, seq2seq_spec
from tests.recordings import noise, trial_markers, write_recording
from tests.text_recordings import simulated, write_bids
from tools.demo.demo_run import DEMO_BUNDLE
from tools.evaluation.passes.reel import Item, read_reel
from tools.evaluation.passes.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.spec import PipelineSpec


def opened(path: Path, spec: PipelineSpec, head: str) -> Engine:
    make_bundle(path, head=head, spec=spec)
    return open_engine(path)


@pytest.fixture
def writer(tmp_path: Path) -> Engine:
    return opened(tmp_path / "writer", ctc_spec(), "ctc")


@pytest.fixture
def speller(tmp_path: Path) -> Engine:
    return opened(tmp_path / "speller", selection_spec(), "selection")


def test_texts_and_what_of_them_cannot_be_told(tmp_path: Path, writer: Engine) -> None:
    markers = [
        (100, "text:ab"), (300, "text:end"), (400, "text:b:a"), (600, "text:end"),
        (700, "text:lost"), (800, "text:inside"), (900, "text:end"), (1500, "text:open"),
    ]  # fmt: skip
    reel = read_reel(write_recording(tmp_path / "r.xdf", noise(2000), markers), writer)
    assert reel.items == (Item(0, "ab", 100, 300), Item(1, "b:a", 400, 600))
    assert len(reel.faults) == 2
    assert all(fault.startswith("left out: ") for fault in reel.faults)
    assert reel.lost[0] == (700, 900)
    assert reel.lost[1][0] == 1500
    assert (reel.subject, reel.session) == ("", "")


def test_every_sample_and_marker_is_handed_over_hop_by_hop(tmp_path: Path, writer: Engine) -> None:
    path = write_recording(tmp_path / "r.xdf", noise(1995), [(100, "text:ab"), (300, "text:end")])
    reel = read_reel(path, writer)
    assert [chunk.first for chunk in reel.chunks] == list(range(0, 1995, 20))
    assert [chunk.stop for chunk in reel.chunks[:-1]] == [chunk.first for chunk in reel.chunks[1:]]
    np.testing.assert_array_equal(reel.samples, noise(1995))
    assert sum(len(chunk.markers) for chunk in reel.chunks) == 2


def test_foreign_names_are_ours_for_the_truth_too(tmp_path: Path) -> None:
    spec = msgspec.structs.replace(ctc_spec(), markers={"say ab": "text:ab", "done": "text:end"})
    engine = opened(tmp_path / "b", spec, "ctc")
    path = write_recording(tmp_path / "r.xdf", noise(1000), [(100, "say ab"), (300, "done")])
    assert read_reel(path, engine).items == (Item(0, "ab", 100, 300),)


def test_trials_and_their_labels(tmp_path: Path, speller: Engine) -> None:
    path = write_recording(tmp_path / "r.xdf", noise(1000), trial_markers(1000))
    reel = read_reel(path, speller, subject="ada")
    assert reel.items == (
        Item(0, "A", 20, 220), Item(1, "B", 220, 420),
        Item(2, " ", 420, 620), Item(3, "A", 620, 1000),
    )  # fmt: skip
    assert reel.subject == "ada"
    chosen = read_reel(path, speller, trials=frozenset({1, 3}))
    assert [item.number for item in chosen.items] == [1, 3]
    with pytest.raises(UsageError, match="got 4, which"):
        read_reel(path, speller, trials=frozenset({4}))


def test_without_trial_markers_each_stimulus_is_a_trial_if_one_decides(
    tmp_path: Path, speller: Engine
) -> None:
    markers = [(50, "label:A"), (60, "stim:on"), (250, "label:B"), (260, "stim:on")]
    path = write_recording(tmp_path / "r.xdf", noise(500), markers)
    assert read_reel(path, speller).items == (Item(0, "A", 60, 260), Item(1, "B", 260, 500))
    decoder = msgspec.structs.replace(selection_spec().decoder, max_stimuli=None)
    several = opened(tmp_path / "s", selection_spec(decoder=decoder), "selection")
    with pytest.raises(RecordingError, match="no trial:start markers in it"):
        read_reel(path, several)


def test_a_label_that_cannot_be_written_is_told_and_counts(tmp_path: Path, speller: Engine) -> None:
    markers = [(t, "label:Q" if m == "label:B" else m) for t, m in trial_markers(1000)]
    reel = read_reel(write_recording(tmp_path / "r.xdf", noise(1000), markers), speller)
    assert [item.reference for item in reel.items] == ["A", "Q", " ", "A"]
    assert reel.faults == ("label 'Q' is not a symbol of the bundle: it is wrong",)


def test_a_table_of_events_is_the_truth_and_tells_who_it_was(tmp_path: Path) -> None:
    session = simulated(["hello there", "good night"], seed=1)
    path = write_bids(tmp_path, session, subject="07", named="02")
    engine = open_engine(DEMO_BUNDLE)
    with pytest.raises(RecordingError, match="no row whose text begins with 'text:'"):
        read_reel(path, engine)
    manifest = engine.bundle.manifest
    provenance = msgspec.structs.replace(
        manifest.provenance, recipe={"data": {"text_prefix": "sentence/"}}
    )
    bundle = dataclasses.replace(
        engine.bundle, manifest=msgspec.structs.replace(manifest, provenance=provenance)
    )
    reel = read_reel(path, dataclasses.replace(engine, bundle=bundle))
    assert [item.reference for item in reel.items] == ["hello there", "good night"]
    assert (reel.subject, reel.session) == ("07", "02")


def recordings(folder: Path, n: int) -> list[Path]:
    markers = [(100, "text:ab"), (300, "text:end")]
    paths = [folder / f"{k}" / "r.xdf" for k in range(n)]
    for k, path in enumerate(paths):
        path.parent.mkdir()
        write_recording(path, noise(2000, seed=k), markers)
    return paths


def test_what_does_not_fit_in_memory_is_read_again(tmp_path: Path, writer: Engine) -> None:
    shelf = Shelf(recordings(tmp_path, 3), writer, most_bytes=2000 * 4 * 4)
    assert all(not len(reel.samples) and not reel.chunks for reel in shelf.reels)
    for number in (0, 2, 1, 0):
        whole = shelf.whole(number)
        np.testing.assert_array_equal(whole.samples, noise(2000, seed=number))
        assert whole.name == shelf.reels[number].name
        assert len(shelf._kept) == 1
    assert len({reel.name for reel in shelf.reels}) == 3


def test_a_recording_that_changes_meanwhile_is_refused(tmp_path: Path, writer: Engine) -> None:
    paths = recordings(tmp_path, 2)
    shelf = Shelf(paths, writer, most_bytes=1)
    paths[0].unlink()
    write_recording(paths[0], noise(2000, seed=5), [(100, "text:ab"), (300, "text:end")])
    with pytest.raises(RecordingError, match="was changed while it was read"):
        shelf.whole(0)


def test_the_same_samples_twice_are_refused(tmp_path: Path) -> None:
    reader = opened(tmp_path / "b", seq2seq_spec(), "seq2seq")
    markers = [(100, "text:ab"), (300, "text:end")]
    one = write_recording(tmp_path / "1.xdf", noise(1000), markers)
    two = write_recording(tmp_path / "2.xdf", noise(1000), [*markers, (500, "note")])
    with pytest.raises(RecordingError, match=r"2\.xdf: holds the samples of .*1\.xdf"):
        Shelf([one, two], reader)
