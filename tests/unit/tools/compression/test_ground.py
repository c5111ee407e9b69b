"""Which recordings give ranges, which are judged, and which may confirm."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import RecordingError
from tools.compression.ground import RecordedGround, by_turns, recorded_ground
from tools.evaluation.passes.reel import Item, Reel

if TYPE_CHECKING:
    from collections.abc import Callable

LEARNT = {"monday.xdf": "digest of monday.xdf", "tuesday.xdf": "digest of tuesday.xdf"}


def reel(path: Path) -> Reel:
    """Return a recording of two trials, its samples told by its name without ``copy_of_``."""
    return Reel(
        path=path,
        name=path.name,
        subject="ada",
        session="",
        content=str(path).removeprefix("copy_of_"),
        files=frozenset({f"digest of {path.name}"}),
        rate_hz=250.0,
        n_samples=8,
        samples=np.zeros((8, 1), dtype=np.float32),
        chunks=(),
        marker_names={},
        items=(Item(0, "A", 0, 4), Item(1, "B", 4, 8)),
    )


@pytest.fixture
def ground(monkeypatch: pytest.MonkeyPatch) -> Callable[..., RecordedGround]:
    """Return the ground of a bundle that has learnt from Monday and Tuesday."""
    manifest = SimpleNamespace(provenance=SimpleNamespace(data=LEARNT))
    engine = SimpleNamespace(bundle=SimpleNamespace(manifest=manifest))
    where = "tools.compression.ground."
    monkeypatch.setattr(f"{where}open_engine", lambda _path: engine)
    read_reel = "tools.evaluation.passes.shelf.read_reel"
    monkeypatch.setattr(read_reel, lambda path, _engine, trials: reel(path))
    monkeypatch.setattr(f"{where}primary_unit", lambda _engine: "selections")
    return lambda *days: recorded_ground(Path("b"), [Path(f"{day}.xdf") for day in days])


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (("friday",), "ranges of friday.xdf, errors of friday.xdf, as there is no other"),
        (("friday", "saturday"), "ranges of friday.xdf, errors of saturday.xdf"),
        (("friday", "monday"), "ranges of monday.xdf, errors of friday.xdf"),
        (("monday", "tuesday", "friday"), "ranges of monday.xdf, errors of friday.xdf"),
    ],
)
def test_errors_are_of_what_was_not_learnt_from_where_there_is_any(
    ground: Callable[..., RecordedGround], days: tuple[str, ...], said: str
) -> None:
    assert ground(*days).notes == (said,)


@pytest.mark.parametrize("days", [("monday",), ("monday", "tuesday")])
def test_errors_of_what_was_learnt_from_are_called_so(
    ground: Callable[..., RecordedGround], days: tuple[str, ...]
) -> None:
    _, told = ground(*days).notes
    assert told.startswith(f"the bundle has learnt from {days[-1]}.xdf: errors there say little")


@pytest.mark.parametrize(
    ("days", "searched", "confirmed"),
    [
        (("friday", "saturday"), "friday.xdf", "saturday.xdf"),
        (("friday", "monday"), "monday.xdf", "friday.xdf"),
        (("friday", "monday", "tuesday"), "monday.xdf, tuesday.xdf", "friday.xdf"),
        (("monday", "friday", "saturday"), "friday.xdf", "saturday.xdf"),
    ],
)
def test_what_was_learnt_from_is_never_confirmed_on(
    ground: Callable[..., RecordedGround],
    days: tuple[str, ...],
    searched: str,
    confirmed: str,
) -> None:
    search, confirm = ground(*days).split()
    assert f"errors of {searched}" in search.notes[0]
    assert f"errors of {confirmed}" in confirm.notes[0]
    assert len(confirm.notes) == 1


def test_nothing_is_confirmed_on_what_was_learnt_from_alone(
    ground: Callable[..., RecordedGround],
) -> None:
    with pytest.raises(RecordingError, match=r"^monday.xdf, tuesday.xdf: the bundle has learnt"):
        ground("monday", "tuesday").split()


def test_the_same_samples_under_two_names_are_one_recording(
    ground: Callable[..., RecordedGround],
) -> None:
    with pytest.raises(RecordingError, match=r"copy_of_friday.xdf: holds the samples of friday"):
        ground("friday", "copy_of_friday")


def test_two_days_of_one_name_are_two_sessions(ground: Callable[..., RecordedGround]) -> None:
    search, confirm = ground("friday/run1", "saturday/run1").split()
    assert "errors of 0:friday/run1.xdf" in search.notes[0]
    assert "errors of 1:saturday/run1.xdf" in confirm.notes[0]


def test_of_a_few_texts_every_recording_gives_some() -> None:
    reels = [reel(Path("friday.xdf")), reel(Path("saturday.xdf"))]
    assert by_turns(reels, most=None) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert by_turns(reels, most=3) == [(0, 0), (0, 1), (1, 0)]
    assert by_turns(reels, most=2) == [(0, 0), (1, 0)]
