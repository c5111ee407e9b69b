from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import EegscribeError, UsageError
from runtime.config import Budget, Profile
from runtime.profiling.stream_profiler import StreamProfiler
from tests.messages import LATENCY


class Stage:
    """A profiler whose decode thread is played by the test."""

    def __init__(self, folder: Path, seconds: float = 60.0) -> None:
        self.live = SimpleNamespace(between_steps=None, chain=SimpleNamespace(n_samples=7))
        self.told: list[dict[str, Any]] = []
        self.profiler = StreamProfiler(
            stream="s",
            session="t",
            live=self.live,  # type: ignore[arg-type]  # all that it asks of one
            settings=Profile(seconds=seconds, directory=folder),
            budget=Budget(),
            tell=self.tell,
        )

    def tell(self, kind: str, sample: int, **figures: float | str | None) -> None:
        self.told.append({"kind": kind, "sample": sample, **figures})

    async def step_until(self, is_done: Callable[[], bool]) -> None:
        """Do what the decode thread does, until something is so."""
        while not is_done():
            if self.live.between_steps is not None:
                self.live.between_steps()
            if self.profiler.run is not None:
                self.profiler.run.add(LATENCY)
            await asyncio.sleep(0)

    async def stop(self) -> Any:
        stopping = asyncio.ensure_future(self.profiler.stop())
        await self.step_until(stopping.done)
        return stopping.result()


def play(story: Callable[[Stage], Coroutine[Any, Any, None]], folder: Path) -> list[dict[str, Any]]:
    """Run a story with a profiler; return the events it told."""

    async def run() -> Stage:
        stage = Stage(folder)
        await story(stage)
        return stage

    return asyncio.run(run()).told


def test_a_profile_is_told_from_its_start_to_its_end(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.profiler.start(30.0)
        await stage.step_until(lambda: False if stage.profiler.run is None else has_one(stage))
        report = await stage.stop()
        assert report.decodes >= 1
        assert len(report.files) >= 2
        assert stage.live.between_steps is None
        assert not stage.profiler.is_on
        await stage.profiler.start(30.0)  # and again
        await stage.stop()

    def has_one(stage: Stage) -> bool:
        return stage.profiler.run is not None and stage.profiler.run.rows.n_decodes > 0

    began, ended, *_ = play(story, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} >= {".txt", ".json"}
    assert began == {"kind": "profile", "sample": 7, "over": False, "seconds": 30.0}
    assert ended["over"] is True
    assert ended["total_p99_ms"] == ended["model_p50_ms"] == 0.0
    assert ended["transport_p50_ms"] is None
    assert not any(isinstance(figure, str) for figure in ended.values() if figure != "profile")


def test_a_second_one_is_refused_and_so_is_a_stop_without_any(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(UsageError, match="profile: none runs for 's', wanted a start first"):
            await stage.profiler.stop()
        await stage.profiler.start()
        with pytest.raises(
            UsageError, match=r"'s' is being profiled already, for another \d+ s; w"
        ):
            await stage.profiler.start()
        await stage.stop()

    assert [event["kind"] for event in play(story, tmp_path)] == ["profile", "profile"]


def test_a_folder_that_takes_nothing_is_told_in_reply_and_event(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def story(stage: Stage) -> None:
        with pytest.raises(EegscribeError, match=r"takes no profile \(a file is in its place\)"):
            await stage.profiler.start()
        assert not stage.profiler.is_on
        assert stage.live.between_steps is None

    (event,) = play(story, tmp_path / "file" / "p")
    assert event["kind"] == "profile_failed"
    assert "a file is in its place" in event["reason"]


def test_a_folder_that_goes_away_meanwhile_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "p"

    async def story(stage: Stage) -> None:
        await stage.profiler.start()
        folder.rmdir()
        folder.touch()
        with pytest.raises(EegscribeError, match=r"takes no profile \(a file is in its place\)"):
            await stage.stop()

    assert [event["kind"] for event in play(story, folder)] == ["profile", "profile_failed"]


def test_what_runs_when_the_stream_ends_is_written(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.profiler.start()
        stage.profiler.leave()
        await stage.profiler.finished()
        assert not stage.profiler.is_on

    assert [event["kind"] for event in play(story, tmp_path)] == ["profile", "profile"]
    assert list(tmp_path.iterdir())


def test_a_start_after_the_stream_ended_ends_at_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.profiler.leave()
        await stage.profiler.start()
        await stage.profiler.finished()

    assert len(play(story, tmp_path)) == 2
