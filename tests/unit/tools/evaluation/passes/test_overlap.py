from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from models.manifest import Provenance
from pipeline.errors import RecordingError
from tests.reels import reel
from tools.evaluation.passes.overlap import CORPUS, find_overlap, read_texts
from tools.evaluation.passes.reel import Item
from tools.recordings.digests import digests, parts_of, sample_digests, sha256_of, text_digest

if TYPE_CHECKING:
    from pathlib import Path

REEL = reel([Item(0, "Good morning.", 0, 100), Item(1, "the kettle sings", 200, 300)])


def test_a_recording_that_was_trained_on_is_known_whatever_its_name() -> None:
    provenance = Provenance(command="c", data={"old.xdf": "0" * 64, "other.xdf": "1" * 64})
    found = find_overlap(provenance, [REEL])
    assert found.recordings == {"r.xdf": "old.xdf"}
    assert found.training is None


def test_nothing_in_common() -> None:
    found = find_overlap(Provenance(command="c", data={"old.xdf": "1" * 64}), [REEL])
    assert (found.recordings, found.texts, found.training) == ({}, frozenset(), None)
    assert not found.has_text("Good morning.")


def test_texts_are_known_by_their_digests_however_they_are_written() -> None:
    provenance = Provenance(command="c", texts=(text_digest("good  MORNING!"), text_digest("x")))
    found = find_overlap(provenance, [REEL])
    assert found.training == ("Good morning.",)
    assert found.has_text("good morning")
    assert not found.has_text("the kettle sings")


def test_the_corpus_that_ships_is_known_by_its_digest() -> None:
    found = find_overlap(Provenance(command="c", data={"any.txt": sha256_of(CORPUS)}), [REEL])
    assert found.training is not None
    assert len(found.training) == len(CORPUS.read_text().splitlines())
    assert all(found.has_text(line) for line in found.training[:50])


def test_texts_may_be_told() -> None:
    found = find_overlap(Provenance(command="c"), [REEL], given=["the kettle sings!"])
    assert found.training == ("the kettle sings!",)
    assert found.has_text("The kettle sings")


def test_texts_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("one\ntwo\n")
    assert read_texts(tmp_path / "t.txt") == ["one", "two"]
    with pytest.raises(RecordingError, match=r"none\.txt: cannot be read"):
        read_texts(tmp_path / "none.txt")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(RecordingError, match="not UTF-8"):
        read_texts(tmp_path / "b.txt")


def test_files_of_one_name_in_two_folders_are_both_known(tmp_path: Path) -> None:
    for folder in ("a", "b", "c/a"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "run.xdf").write_text(folder)
    paths = [tmp_path / folder / "run.xdf" for folder in ("a", "b", "c/a")]
    found = digests(paths)
    assert sorted(found.values()) == sorted(map(sha256_of, paths))
    assert {"a/run.xdf", "b/run.xdf"} < set(found)


def test_a_recording_is_known_by_the_file_that_holds_its_samples(tmp_path: Path) -> None:
    header = tmp_path / "r.vhdr"
    for suffix in (".vhdr", ".vmrk", ".eeg"):
        (tmp_path / f"r{suffix}").write_text(suffix)
    assert {part.suffix for part in parts_of(header)} == {".vhdr", ".vmrk", ".eeg"}
    assert sample_digests(header) == {sha256_of(tmp_path / "r.eeg")}
    alone = tmp_path / "s.xdf"
    alone.write_text("s")
    assert parts_of(alone) == (alone,)
    assert sample_digests(alone) == {sha256_of(alone)}
