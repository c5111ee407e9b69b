"""``eegscribe optimize``: searched, guarded, confirmed; or refused, and told why."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.bundle import load_bundle
from models.weights import WEIGHTS
from runtime.engine import open_engine
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tests.system.daemons import EEGSCRIBE, eegscribe
from tests.system.spoilt import deafened, sabotaged, slowed, write_lopsided
from tools.cli import main
from tools.compression.exam import Exam
from tools.compression.optimizing.steps import Recoder
from tools.compression.optimizing.walk import Step, Walker
from tools.demo.demo_run import DEMO_BUNDLE
from tools.training.tasks import UNSEEN
from tools.verbs.simulate import write_xdf

N_RECORDINGS, N_TEXTS = 4, 10
TINY = ("network.n_hidden=24", "network.n_features=32", "network.n_layers=2", "data.held_out=0.6")
QUICK = ("--blocks", "4", "--windows", "20", "--json")
WHOLE = ("--walks", "1")
"""Nothing is removed: the demo's network would be fine-tuned for long."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return recordings of different phrases that the demo's bundle has never seen."""
    folder = tmp_path_factory.mktemp("given")
    phrases = sorted(UNSEEN.read_text("utf-8").splitlines(), key=len)
    paths = []
    for k in range(N_RECORDINGS):
        path = folder / f"r{k}.xdf"
        texts = phrases[k : N_RECORDINGS * N_TEXTS : N_RECORDINGS]
        session = synthesise(texts, seed=50 + k, settings=SynthesisSettings(between_s=5.0))
        write_xdf(path, session, name="r", rate_hz=250.0)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def tiny(recordings: list[Path]) -> Path:
    """Return a bundle that has learnt nothing, with its weights."""
    path = recordings[0].with_name("tiny.eegb")
    words = [word for change in TINY for word in ("--set", change)]
    words += ["--recipe", "gru-ctc", "--steps", "2", "--batch", "2", "--out", str(path)]
    assert main(["train", *map(str, recordings), *words]) == 0
    return path


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything but the original and torch take half the time, whatever the machine does."""

    def time_blocks(models: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        taken = {"original": 1.0, "float32, ONNX Runtime": 1.0, "float32, torch": 4.0}
        return {
            name: np.full((4, 20), taken.get(name, 0.5 / (1 + 0.1 * k)))
            for k, name in enumerate(models)
        }

    monkeypatch.setattr("tools.compression.race.time_blocks", time_blocks)


def optimize(bundle: Path, out: Path, recordings: list[Path], *words: str) -> int:
    given = ["optimize", str(bundle), *map(str, recordings), "--out", str(out)]
    return main([*given, *QUICK, *words])


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_a_step_that_loses_accuracy_is_refused(
    recordings: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    steady: None,
) -> None:
    monkeypatch.setattr(Recoder, "made", sabotaged(deafened))
    out = tmp_path / "small.eegb"
    words = ("--max-drop", "5%", "--steps", "1", *WHOLE)
    assert optimize(DEMO_BUNDLE, out, recordings[:2], *words) == 1
    told = summary(capsys)
    assert not out.exists()
    assert [walk["amounts"] for walk in told["walks"]] == [{}]
    steps = told["walks"][0]["steps"]
    assert [step["name"] for step in steps] == ["int8", "int8-trained", "float16"]
    for step in steps:
        assert step["refused"] == "more errors than the 5.00% that is allowed"
        assert step["figures"]["loss"]["more"] > 0.05
    assert "no step was kept" in told["refused"]


def test_errors_of_rounding_are_won_back_by_training_for_8_bits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], steady: None
) -> None:
    given, out = tmp_path / "lopsided.eegb", tmp_path / "small.eegb"
    write_lopsided(given)
    words = ("--max-drop", "10%", "--steps", "60", "--texts", "40", *WHOLE)
    assert optimize(given, out, [], "--simulate", *words) == 0
    told = summary(capsys)
    steps = {step["name"]: step for step in told["walks"][0]["steps"]}
    assert list(steps) == ["int8", "int8-trained", "mixed"]
    assert steps["int8"]["refused"] == "more errors than the 10.00% that is allowed"
    assert steps["int8-trained"]["refused"] is None
    lost = {name: step["figures"]["loss"]["more"] for name, step in steps.items()}
    assert lost["int8"] > 0.15
    assert lost["int8-trained"] < 0.05
    assert steps["int8-trained"]["figures"]["size_bytes"] == steps["int8"]["figures"]["size_bytes"]
    manifest = load_bundle(out).manifest
    assert manifest.optimisation.steps[0] == "int8-trained"
    assert told["confirmation"]["loss"]["verdict"] == "held"
    open_engine(out)  # golden vectors hold


def test_a_step_that_is_slower_is_refused(
    recordings: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Recoder, "made", sabotaged(slowed))
    out = tmp_path / "small.eegb"
    assert optimize(DEMO_BUNDLE, out, recordings[:2], "--max-drop", "50%", *WHOLE) == 1
    told = summary(capsys)
    assert not out.exists()
    first = told["walks"][0]["steps"][0]
    assert first["figures"]["loss"]["verdict"] == "held"
    assert first["figures"]["loss"]["more"] == 0.0
    assert "of the time of the step before" in first["refused"]
    assert first["figures"]["beside"]["ratio_p50"] > 1.5


def test_too_few_texts_tell_nothing_and_how_many_would(
    recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], steady: None
) -> None:
    out = tmp_path / "small.eegb"
    assert optimize(DEMO_BUNDLE, out, recordings[:2], "--max-drop", "0.1%", *WHOLE) == 1
    told = summary(capsys)
    loss = told["walks"][0]["steps"][0]["figures"]["loss"]
    assert loss["verdict"] in ("cannot tell", "lost")
    if loss["verdict"] == "cannot tell":
        assert loss["n_needed"] > loss["n_units"]
        assert (
            f"takes about {loss['n_needed']} characters" in told["walks"][0]["steps"][0]["refused"]
        )
    assert not out.exists()
    assert out.with_name("small.optimize.png").stat().st_size > 10_000
    assert json.loads(out.with_name("small.optimize.json").read_text())["sha256"] is None


def test_what_is_confirmed_is_written_and_names_its_fallback(
    recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], steady: None
) -> None:
    before, out = DEMO_BUNDLE.read_bytes(), tmp_path / "small.eegb"
    assert optimize(DEMO_BUNDLE, out, recordings[:2], "--max-drop", "30%", *WHOLE) == 0
    told, bundle, parent = summary(capsys), load_bundle(out), load_bundle(DEMO_BUNDLE)
    assert DEMO_BUNDLE.read_bytes() == before
    manifest = bundle.manifest
    assert told["sha256"] == bundle.sha256
    assert told["confirmation"]["loss"]["verdict"] == "held"
    assert told["confirmation"]["n_texts"] + told["n_search"] == 2 * N_TEXTS
    assert manifest.provenance.parent == parent.sha256
    assert manifest.provenance.command.startswith("eegscribe ")
    assert manifest.optimisation.fallback is not None
    assert manifest.optimisation.fallback.sha256 == parent.sha256
    assert manifest.optimisation.size_bytes == len(bundle.files["model.onnx"])
    assert manifest.evaluation.verdict == "not evaluated"
    assert "## Optimized" in bundle.files["README.md"].decode()
    open_engine(out)  # golden vectors hold
    assert main(["replay", str(recordings[3]), "--bundle", str(out), "--json"]) == 0
    replayed = summary(capsys)
    assert replayed["cer"] < 0.3  # of texts that it was not made with
    shown = eegscribe("demo", "--bundle", out, "--text", "a cat", "--seed", "1", "--json")
    assert shown.returncode == 0, shown.stderr
    messages = [json.loads(line) for line in shown.stdout.splitlines()]
    assert messages[-1]["reference"] == "a cat"
    assert {m["model"]["sha256"] for m in messages if m.get("topic") == "text.final"} == {
        bundle.sha256
    }
    assert [row["name"] for row in told["rows"][:2]] == ["float32, torch", "float32, ONNX Runtime"]
    memories = [row["memory"] for row in told["rows"]]
    assert all(found["peak_bytes"] > found["imports_bytes"] for found in memories)
    assert not out.with_name("small.eegb.optimizing").exists()


@pytest.fixture
def untrained_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 8 bits that were not trained for be refused for their errors, whatever these are."""
    tried = Walker._tried

    def refused(self: Walker, name: str, *words: Any) -> Any:
        step, stored = tried(self, name, *words)  # type: ignore[arg-type]
        return (msgspec.structs.replace(step, refused="no") if name == "int8" else step), stored

    monkeypatch.setattr(Walker, "_tried", refused)
    monkeypatch.setattr(Step, "may_be_trained", property(lambda step: step.refused == "no"))


def pruned(
    tiny: Path,
    recordings: list[Path],
    out: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """Return what is told of half of all units that went, and of the same size from scratch."""
    monkeypatch.setattr(Exam, "constant", 9.0)  # it reads nothing, and is pruned all the same
    words = ("--max-drop", "90%", "--walks", "2", "--steps", "2", "--scratch")
    assert optimize(tiny, out, recordings, *words, "--prefer", "size") == 0
    told = summary(capsys)
    assert [walk["amounts"] for walk in told["walks"]] == [{}, {"features": 0.5, "hidden": 0.5}]
    return told


def test_a_network_is_pruned_too_and_compared_with_the_same_size_from_scratch(
    tiny: Path,
    recordings: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    steady: None,
) -> None:
    out = tmp_path / "small.eegb"
    told = pruned(tiny, recordings, out, capsys, monkeypatch)
    manifest = load_bundle(out).manifest
    names = [row["name"] for row in told["rows"]]
    assert names[:3] == ["float32, torch", "float32, ONNX Runtime", "+ pruned"]
    assert names[-1] == "from scratch"
    assert manifest.optimisation.sparsity > 0.2
    assert manifest.optimisation.steps[0] == "pruned features=0.5,hidden=0.5"
    assert len(told["bought"]) == 3
    assert WEIGHTS not in load_bundle(out).files or told["picked"].endswith("pruned")
    assert told["front"]


def test_what_is_pruned_is_trained_for_8_bits_and_so_is_the_same_size_from_scratch(
    tiny: Path,
    recordings: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    steady: None,
    untrained_refused: None,
) -> None:
    out = tmp_path / "small.eegb"
    told = pruned(tiny, recordings, out, capsys, monkeypatch)
    assert "pruned+int8-trained" in told["picked"]
    made = load_bundle(out).manifest.optimisation.steps
    assert made[:2] == ("pruned features=0.5,hidden=0.5", "int8-trained")
    sizes = {row["name"]: row["size_bytes"] for row in told["rows"]}
    assert sizes["from scratch"] <= sizes["+ int8-trained"]
    assert told["notes"][-1] == "Then its weights were rounded in training, as long as the other's."


def test_a_search_that_was_killed_goes_on(
    tiny: Path, recordings: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "small.eegb"
    command = [*EEGSCRIBE, "optimize", tiny, *recordings, "--out", out, *QUICK]
    command = [str(word) for word in command]
    command += ["--max-drop", "90%", "--walks", "2", "--steps", "2"]
    kept = out.with_name("small.eegb.optimizing") / "whole" / "walk.json"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline_s = time.monotonic() + 120.0
        while not kept.is_file() and process.poll() is None and time.monotonic() < deadline_s:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    first = json.loads(kept.read_text())
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # as the machine's times have it
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["walks"][0] == first  # its times too: it was not walked again
    assert len(told["walks"]) == 2


def test_what_reads_nothing_can_lose_nothing_and_is_not_optimized(
    tiny: Path, recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.eegb"
    assert optimize(tiny, out, recordings, "--max-drop", "90%", "--walks", "1") == 1
    step = summary(capsys)["walks"][0]["steps"][0]
    assert "the original errs as much as always saying the same" in step["refused"]
    assert not out.exists()


def test_a_search_of_something_else_is_not_gone_on_with(
    recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.eegb"
    folder = out.with_name("small.eegb.optimizing")
    folder.mkdir()
    (folder / "search.json").write_text("[]")
    assert optimize(DEMO_BUNDLE, out, recordings[:2], "--max-drop", "5%", *WHOLE) == 2
    assert "holds a search of another bundle" in capsys.readouterr().err


def test_one_recording_cannot_be_searched_and_confirmed_on(
    recordings: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert optimize(DEMO_BUNDLE, tmp_path / "s.eegb", recordings[:1], "--max-drop", "5%") == 65
    assert "got 1 session of 10 texts, wanted two or more" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-drop", "200%"), "--max-drop: got '200%', wanted a share such as 0.5% or 0.005"),
        (("--max-drop", "much"), "--max-drop: got 'much'"),
        (("--max-drop", "1%", "--p99", "0"), "--p99: got '0', wanted milliseconds above 0"),
        (("--max-drop", "1%", "--walks", "0"), "--walks: got 0, wanted 1 or more"),
        (("--max-drop", "1%", "--simulate"), "wanted either recordings or --simulate"),
    ],
)
def test_wrong_words_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    given = ["optimize", str(tmp_path / "b.eegb"), "r.xdf", "--out", str(tmp_path / "c.eegb")]
    assert main([*given, *words]) == 2
    assert said in capsys.readouterr().err
