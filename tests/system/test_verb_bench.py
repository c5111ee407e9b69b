"""``eegscribe bench`` and ``compare``: a small network on every backend, from words to pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from models.bundle import load_bundle, write_bundle
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tests.bundles import ctc_spec, make_bundle
from tests.recordings import noise, trial_markers, write_recording
from tools.benchmarking.backends import BACKENDS
from tools.benchmarking.results import read_result
from tools.cli import main
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ("network.n_hidden=24", "network.n_features=32", "network.n_layers=1", "data.held_out=0.3")
QUICK = ("--blocks", "5", "--windows", "4")
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("given") / "r.xdf"
    session = synthesise(["ab", "ba", "aab"], seed=1, settings=SynthesisSettings(between_s=6.0))
    write_xdf(path, session, name="r", rate_hz=250.0)
    return path


@pytest.fixture(scope="module")
def gru(recording: Path) -> Path:
    path = recording.with_name("gru.eegb")
    words = [word for change in SMALL for word in ("--set", change)]
    words += ["--recipe", "gru-ctc", "--steps", "2", "--batch", "2", "--out", str(path)]
    assert main(["train", str(recording), *words]) == 0
    return path


def told(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the rows by backend, and the summary."""
    *rows, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert {row["type"] for row in rows} == {"row"}
    assert summary["type"] == "summary"
    return {row["backend"]: row for row in rows}, summary


def test_every_backend_is_a_row_that_ran_or_says_why(
    gru: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, before = tmp_path / "bench", gru.read_bytes()
    assert main(["bench", str(gru), str(recording), *QUICK, "--out", str(out), "--json"]) == 0
    rows, summary = told(capsys)
    assert gru.read_bytes() == before
    assert set(rows) == set(BACKENDS)
    for row in rows.values():
        assert (row["missing"] is None) == (row["call_ms"] is not None)
        if row["missing"] is None:
            assert row["call_ms"]["count"] == 20
            assert set(row["stage_ms"]) == {"filter", "model", "decode", "total"}
            assert len(row["blocks"]["p50"]) == 5
    for name in ("onnx-float32", "torch-eager", "torch-export", "torch-compiled-default"):
        assert rows[name]["missing"] is None
        assert rows[name]["agreement"]["estimate"] == 1.0
    assert rows["torch-compiled-default"]["against_eager"] is not None
    assert rows["onnx-float16"]["size_bytes"] < 0.6 * rows["onnx-float32"]["size_bytes"]
    assert rows["onnx-float32"]["accuracy"]["verdict"] == "within"
    assert rows["onnx-int8"]["accuracy"]["verdict"] == "cannot tell"  # of three short texts
    (bundle,) = summary["bundles"]
    assert bundle["sha256"] == load_bundle(gru).sha256
    assert (bundle["data"], len(bundle["unit_sizes"])) == ("simulated", 3)
    assert list(bundle["recordings"]) == ["r.xdf"]
    assert "r.xdf: the bundle was trained on it" in bundle["notes"]
    kept = read_result(out)
    assert [row.backend for row in kept.rows] == list(rows)
    assert (out / "bench.json").stat().st_mode & 0o777 == 0o600
    for picture in ("latency.png", "accuracy.png"):
        assert (out / picture).read_bytes().startswith(PNG)
    assert "ab" not in json.dumps(bundle["unit_sizes"])


def test_bundles_stand_side_by_side_and_a_later_run_is_compared(
    gru: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, bundle = tmp_path / "small.eegb", load_bundle(gru)
    write_bundle(small, bundle.manifest, {**bundle.files, "README.md": b"another"})
    runs = [str(tmp_path / name) for name in ("before", "after")]
    words = ["bench", str(gru), str(small), *QUICK, "--backends", "onnx-float32"]
    for run in runs:
        assert main([*words, "--out", run]) == 0
    said = capsys.readouterr().out
    assert "gru  ctc, 250 Hz" in said
    assert "small  ctc, 250 Hz" in said
    assert main(["compare", *runs, "--json"]) == 0
    first, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["type"], summary["type"]) == ("comparison", "summary")
    assert [pair["bundle"] for pair in first["pairs"]] == ["gru", "small"]
    assert first["remarks"] == []
    assert main(["compare", *runs]) == 0
    assert "the yardstick" in capsys.readouterr().out
    assert main([*words, "--out", runs[0]]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*words, "--out", runs[0], "--force"]) == 0


def test_a_speller_is_judged_by_its_selections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(tmp_path / "b.eegb", head="selection")
    path = write_recording(tmp_path / "r.xdf", noise(4000), trial_markers(4000))
    words = [*QUICK, "--backends", "onnx-float16,torch-eager", "--trials", "0-3", "--json"]
    assert main(["bench", str(tmp_path / "b.eegb"), str(path), *words]) == 0
    rows, summary = told(capsys)
    assert summary["bundles"][0]["unit"] == "selections"
    assert len(rows["onnx-float32"]["accuracy"]["wrong"]) == 4
    assert "holds no weights" in rows["torch-eager"]["missing"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["b.eegb", "--backends", "onyx"], 2, "--backends: got 'onyx'"),
        (["b.eegb", "--max-drop", "lots"], 2, "--max-drop: got 'lots'"),
        (["b.eegb", "--blocks", "1"], 2, "--blocks: got 1, wanted 2 or more"),
        (["b.eegb", "r.xdf", "--simulate"], 2, "wanted either recordings or --simulate"),
        (["b.eegb", "--trials", "0"], 2, "--trials: are of recordings"),
        (["b.eegb", "--set", "decoder.nothing=1"], 2, "--set decoder.nothing: no such setting"),
        (["r.xdf"], 2, "got recordings alone, wanted a bundle"),
        (["b.eegb", "--out", "."], 2, "exists already"),
        (["gone.eegb"], 65, "gone.eegb: no such bundle"),
        (["torn.eegb"], 65, "torn.eegb: not a whole .eegb file"),
        (["b.eegb", "gone.xdf"], 65, "gone.xdf"),
        (["fast.eegb", "r.xdf"], 65, "rate is 250 Hz, the bundle 'tiny-ctc' wants 500 Hz"),
    ],
)
def test_bad_input_is_one_sentence_and_its_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_bundle(tmp_path / "b.eegb")
    make_bundle(tmp_path / "fast.eegb", spec=ctc_spec(rate_hz=500.0))
    (tmp_path / "torn.eegb").write_bytes((tmp_path / "b.eegb").read_bytes()[:500])
    write_recording(tmp_path / "r.xdf", noise(500), [(100, "text:ab"), (400, "text:end")])
    assert main(["bench", *words]) == code
    found = capsys.readouterr()
    assert said in found.err
    assert len(found.err.strip().splitlines()) == 1
    assert found.out == ""


@pytest.mark.parametrize("other", ["missing.json", "text.md", "other.json"])
def test_what_is_no_bench_is_not_compared_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str
) -> None:
    make_bundle(tmp_path / "b.eegb")
    (tmp_path / "text.md").write_text("# no JSON")
    (tmp_path / "other.json").write_text("{}")
    run = str(tmp_path / "run")
    words = ["bench", str(tmp_path / "b.eegb"), *QUICK, "--backends", "onnx-float32"]
    assert main([*words, "--out", run]) == 0
    capsys.readouterr()
    assert main(["compare", run, str(tmp_path / other)]) == 65
    assert "is no result of bench, wanted all of one kind" in capsys.readouterr().err
    assert main(["compare", run, run, "--out", str(tmp_path / "page.html")]) == 2
    assert "--out: a page is of reports" in capsys.readouterr().err
