from __future__ import annotations

import cProfile
import json
import pstats
import stat
from pathlib import Path

import msgspec
import pytest

from pipeline.errors import EegscribeError
from runtime.profiling import report as reports
from runtime.profiling.report import (
    WHY_NO_FUNCTIONS,
    ProfileReport,
    as_text,
    check_folder,
    make_report,
    new_tracer,
    write_report,
)
from runtime.profiling.run import ProfileRun
from tests.messages import LATENCY


def sentence(folder: Path) -> str:
    return (
        f"profile.directory: {folder} takes no profile (a file is in its place), "
        "wanted a folder of the daemon's own"
    )


def ended_run(tracer: cProfile.Profile | None, *, n_decodes: int = 50) -> ProfileRun:
    """A run whose clock is moved by its steps: 0.1 s each, the model takes 1 ms and 2 if traced."""
    now_s = 0.0
    run = ProfileRun(
        60.0,
        budgets_ms={"model": 1.5, "total": 3.0},
        tracer=tracer,
        ended=lambda: None,
        now_s=lambda: now_s,
    )
    run.began_ns = 1_700_000_000_123_000_000
    for _ in range(n_decodes):
        now_s += 0.1
        run.tick()
        is_traced = run.rows.n_decodes % 2 == 1
        model_ms = 2.0 if is_traced else 1.0
        run.rows.add(
            msgspec.structs.replace(LATENCY, model=model_ms, total=model_ms + 1.0),
            is_traced=is_traced,
        )
    run.end()
    return run


def traced() -> cProfile.Profile:
    tracer = cProfile.Profile()
    tracer.enable()
    sorted(range(10), key=str)
    json.dumps({"a": 1})
    tracer.disable()
    return tracer


def made(run: ProfileRun) -> ProfileReport:
    return make_report(run, stream="bench1", session="s")


def test_files_are_whole_private_and_say_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "profiles"
    tracer = traced()
    run = ended_run(None)
    told = write_report(made(run), tracer, folder)
    paths = [Path(path) for path in told.files]
    assert [path.name for path in paths] == [
        f"bench1-20231114T221320.123Z.{ending}" for ending in ("pstats", "txt", "json")
    ]
    assert sorted(folder.iterdir()) == sorted(paths)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert msgspec.json.decode(paths[2].read_bytes(), type=ProfileReport) == told
    functions = pstats.Stats(str(paths[0])).stats  # type: ignore[attr-defined]  # no stub
    assert "dumps" in {name for _, _, name in functions}
    text = paths[1].read_text()
    assert "dumps  (json/__init__.py:" in text
    assert "<built-in method builtins.sorted>" in text
    assert text.startswith("Profile of the stream 'bench1' from 2023-11-14 22:13:20 UTC on: ")


def test_the_text_says_what_tracing_cost_and_what_is_over_its_budget() -> None:
    lines = as_text(made(ended_run(None))).splitlines()
    model = next(line for line in lines if line.startswith("model "))
    assert model.split() == ["model", *["1.000"] * 5, "0.0%", "2.000"]
    assert any(
        line.startswith("Tracing cost +1.000 ms a decode (+100%): filter to publish took 2.000")
        for line in lines
    )
    edges = next(line for line in lines[::-1] if line.startswith("stage"))
    assert edges.split() == ["stage", "0", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]
    assert lines[-1].split() == ["total", *["-"] * 8, "25"]


def test_nothing_looked_at_is_said(tmp_path: Path) -> None:
    told = write_report(made(ended_run(None, n_decodes=0)), cProfile.Profile(), tmp_path)
    text = Path(told.files[1]).read_text()
    assert "no decode" in text
    assert "What tracing costs is not known: 0 decodes were traced, 0 were not." in text
    assert "No function was traced." in text


def test_where_python_cannot_trace_one_thread_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "ONE_THREAD", False)
    tracer = new_tracer()
    assert tracer is None
    told = write_report(made(ended_run(tracer)), tracer, tmp_path)
    assert [Path(path).suffix for path in told.files] == [".txt", ".json"]
    assert WHY_NO_FUNCTIONS in Path(told.files[0]).read_text()


def test_a_folder_that_takes_nothing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "profiles"
    with pytest.raises(EegscribeError) as checked:
        check_folder(folder)
    with pytest.raises(EegscribeError) as written:
        write_report(made(ended_run(None)), None, folder)
    assert str(checked.value) == str(written.value) == sentence(folder)


def test_a_disk_that_is_full_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reports, "write_whole", refuse)
    with pytest.raises(EegscribeError, match=r"takes no profile \(No space left on device\), want"):
        write_report(made(ended_run(None)), None, tmp_path)


def test_a_folder_that_may_not_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports.os, "access", lambda *_: False)
    with pytest.raises(EegscribeError, match=r"takes no profile \(Permission denied\), wanted a f"):
        check_folder(tmp_path)
