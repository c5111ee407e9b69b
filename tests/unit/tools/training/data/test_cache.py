from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pipeline.errors import RecordingError, UsageError
from pipeline.filters import FilterChain
from tests.text_recordings import eeg, small_spec, write_array
from tools.training.data import cache
from tools.training.data.cache import FilteredCache
from tools.training.data.corpus import Recorded, describe
from tools.training.data.settings import DataSettings

SPANS = [("ab", 300, 400)]
SPEC = small_spec()
N_BYTES = 3000 * 6 * 4


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return describe(write_array(tmp_path / "a.npy", SPANS), DataSettings())[0]


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_samples_are_those_of_the_daemons_own_filters(tmp_path: Path, recorded: Recorded) -> None:
    wanted = FilterChain(SPEC).push(eeg(3000))
    for folder in (None, tmp_path / "cache"):
        made = FilteredCache([recorded], SPEC, folder=folder)
        found = made.samples(recorded)
        np.testing.assert_array_equal(found, wanted)
        assert found is made.samples(recorded)
        with pytest.raises(ValueError, match="read-only"):
            found[0, 0] = 1.0


def test_what_is_on_disk_is_not_made_again(
    tmp_path: Path, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = FilteredCache([recorded], SPEC, folder=tmp_path / "c").samples(recorded)
    (path,) = files(tmp_path / "c")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(cache, "filtered_chunks", None)
    again = FilteredCache([recorded], SPEC, folder=tmp_path / "c").samples(recorded)
    np.testing.assert_array_equal(first, again)


def test_other_filters_and_other_samples_have_other_files(
    tmp_path: Path, recorded: Recorded
) -> None:
    other = describe(write_array(tmp_path / "b.npy", SPANS, seed=1), DataSettings())[0]
    normalised = msgspec.structs.replace(SPEC.normalise, clip=3.0)
    for spec in (SPEC, msgspec.structs.replace(SPEC, normalise=normalised)):
        for one in (recorded, other):
            found = FilteredCache([one], spec, folder=tmp_path / "c").samples(one)
            np.testing.assert_array_equal(found, FilterChain(spec).push(np.load(one.path)))
    assert len(files(tmp_path / "c")) == 4
    texts = msgspec.structs.replace(SPEC, vocabulary=("", "x"))  # filters nothing
    FilteredCache([recorded], texts, folder=tmp_path / "c").samples(recorded)
    assert len(files(tmp_path / "c")) == 4


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", None])
def test_a_damaged_file_is_made_anew(
    tmp_path: Path, recorded: Recorded, damage: bytes | None
) -> None:
    FilteredCache([recorded], SPEC, folder=tmp_path / "c").samples(recorded)
    (path,) = files(tmp_path / "c")
    path.write_bytes(path.read_bytes()[:-8] if damage is None else damage)
    found = FilteredCache([recorded], SPEC, folder=tmp_path / "c").samples(recorded)
    np.testing.assert_array_equal(found, FilterChain(SPEC).push(eeg(3000)))


def test_a_recording_that_changed_is_refused_and_leaves_nothing(
    tmp_path: Path, recorded: Recorded
) -> None:
    write_array(recorded.path, SPANS, seed=9)
    with pytest.raises(RecordingError, match="changed since"):
        FilteredCache([recorded], SPEC, folder=tmp_path / "c").samples(recorded)
    assert files(tmp_path / "c") == []
    with pytest.raises(RecordingError, match="changed since"):
        FilteredCache([recorded], SPEC).samples(recorded)


def test_the_oldest_of_others_goes_when_there_is_no_room(tmp_path: Path) -> None:
    many = [
        describe(write_array(tmp_path / f"{k}.npy", SPANS, seed=k), DataSettings())[0]
        for k in range(4)
    ]
    folder = tmp_path / "c"
    limit = 3 * N_BYTES + 1000
    for k, recorded in enumerate(many[:3]):
        FilteredCache([recorded], SPEC, folder=folder, limit_bytes=limit).samples(recorded)
        newest = max(files(folder), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (100.0 * k, 100.0 * k))
    oldest, middle, newest = sorted(files(folder), key=lambda path: path.stat().st_mtime)
    stale = folder / f".x{cache.PARTIAL}"
    stale.touch()
    os.utime(stale, (0, time.time() - 2 * cache.STALE_S))
    FilteredCache([many[0]], SPEC, folder=folder, limit_bytes=limit).samples(many[0])  # used again
    FilteredCache([many[3]], SPEC, folder=folder, limit_bytes=limit).samples(many[3])
    left = files(folder)
    assert middle not in left
    assert {oldest, newest} < set(left)
    assert stale not in left
    assert sum(path.stat().st_size for path in left) <= limit


def test_what_one_training_needs_stays_whatever_it_takes(tmp_path: Path) -> None:
    many = [
        describe(write_array(tmp_path / f"{k}.npy", SPANS, seed=k), DataSettings())[0]
        for k in range(3)
    ]
    folder = tmp_path / "c"
    FilteredCache(many[:1], SPEC, folder=folder).samples(many[0])
    others = files(folder)
    own = FilteredCache(many[1:], SPEC, folder=folder, limit_bytes=N_BYTES)
    for recorded in many[1:]:
        own.samples(recorded)
    assert len(files(folder)) == 2
    assert not set(others) & set(files(folder))


def test_a_folder_that_others_may_read_is_refused(tmp_path: Path, recorded: Recorded) -> None:
    (tmp_path / "c").mkdir(mode=0o755)
    (tmp_path / "c").chmod(0o755)
    with pytest.raises(UsageError, match="mode 0755"):
        FilteredCache([recorded], SPEC, folder=tmp_path / "c")
    with pytest.raises(UsageError, match="--cache"):
        FilteredCache([recorded], SPEC, folder=recorded.path / "c")


def test_a_disk_that_is_full_is_one_sentence(
    tmp_path: Path, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    with pytest.raises(UsageError, match="No space left on device"):
        FilteredCache([recorded], SPEC, folder=tmp_path / "c").samples(recorded)
    assert files(tmp_path / "c") == []
