"""``eegscribe profile``: what is slow is named, figures add up, nothing is on unless asked for."""

from __future__ import annotations

import json
import pstats
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.manifest import ModelFile, Tensor
from models.onnx_backend import OnnxModel
from pipeline.commit import CtcStream
from pipeline.filters import FilterChain
from runtime.session import Session
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tests.bundles import CHANNELS, LETTERS, make_bundle, pulses
from tests.given import needs_data, recording
from tests.recordings import noise, write_recording
from tools.cli import main
from tools.verbs.simulate import write_xdf

QUICK = ("--blocks", "2", "--windows", "5", "--batches", "1,2", "--json")
STAGES = ("filter", "model", "decode", "publish", "other")
DELAY_S = 0.002
N_SAMPLES = 2000
WIDE = 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    make_bundle(folder / "tiny.eegb")
    write_recording(folder / "r.xdf", noise(N_SAMPLES))
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """A network with its weights, and what it was trained on beside it."""
    settings = SynthesisSettings(between_s=8.0)
    session = synthesise(["ab", "ba", "aab", "bb", "abb"], seed=1, settings=settings)
    write_xdf(folder / "said.xdf", session, name="said", rate_hz=250.0)
    words = ["network.n_hidden=24", "network.n_features=32", "network.n_layers=2"]
    changes = [word for one in (*words, "data.held_out=0.3") for word in ("--set", one)]
    out = folder / "gru.eegb"
    quick = ("--recipe", "gru-ctc", "--steps", "2", "--batch", "2", "--out", str(out))
    assert main(["train", str(folder / "said.xdf"), *changes, *quick]) == 0
    return out


def profile(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["profile", *map(str, words), *QUICK]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return [json.loads(line) for line in said.out.splitlines()]


def test_figures_add_up(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, summary = profile(capsys, folder / "tiny.eegb", folder / "r.xdf")
    pipeline, model = found["pipeline"], found["model"]
    assert sum(pipeline["replay_s"].values()) == pytest.approx(pipeline["elapsed_s"], rel=0.02)
    stages = pipeline["stages"]
    assert tuple(stages) == STAGES
    assert sum(row["mean"] for row in stages.values()) == pytest.approx(
        pipeline["total"]["mean"], rel=0.02
    )
    for row in (*stages.values(), pipeline["total"]):
        assert 0 <= row["p50"] <= row["p95"] <= row["p99"] <= row["max"]
    assert pipeline["n_hops"] == N_SAMPLES // 20
    assert pipeline["realtime_factor"] == pytest.approx(
        pipeline["recorded_s"] / pipeline["elapsed_s"]
    )
    assert all(n_bytes > 1e7 for _, n_bytes in pipeline["memory"])
    (file,) = model["files"]
    assert sum(row["us"] for row in file["layers"]) == pytest.approx(file["plain_us"], rel=0.02)
    assert sum(row["share"] for row in file["layers"]) == pytest.approx(1.0)
    assert sum(row["flops"] for row in file["layers"]) == file["flops"] == 2 * 2 * 40 * 5
    assert file["weight_bytes"] == 4 * (40 * 5 + 5)
    held = model["footprint"]
    assert 1e7 < held["imports_bytes"] < held["open_bytes"] <= held["peak_bytes"]
    assert model["accuracy"] is None
    assert summary["type"] == "summary"
    assert summary["bundles"]["tiny"]["latency_ms"] == model["latency_ms"]


@pytest.mark.parametrize(
    ("owner", "method", "stage"),
    [
        (FilterChain, "push_marking", "filter"),
        (OnnxModel, "run", "model"),
        (CtcStream, "push", "decode"),
        (Session, "compose", "publish"),
    ],
)
def test_a_stage_slowed_on_purpose_is_named(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    stage: str,
) -> None:
    quick = getattr(owner, method)

    def slow(*given: Any, **named: Any) -> Any:
        time.sleep(DELAY_S)
        return quick(*given, **named)

    monkeypatch.setattr(owner, method, slow)
    found, summary = profile(capsys, folder / "tiny.eegb", folder / "r.xdf")
    stages = found["pipeline"]["stages"]
    assert stages[stage]["p50"] >= 1e3 * DELAY_S
    for other in set(STAGES) - {stage}:
        assert stages[other]["p50"] < 1e3 * DELAY_S
    bottleneck = summary["bundles"]["tiny"]["bottleneck"]
    assert bottleneck["stage"] == stage
    assert bottleneck["sentence"].startswith(f"{stage} takes ")
    assert sum(found["pipeline"]["replay_s"].values()) == pytest.approx(
        found["pipeline"]["elapsed_s"], rel=0.02
    )


def wide_model(width: int) -> tuple[bytes, ModelFile]:
    """Three layers by paths in their names, the second one ``width`` wide inside."""
    rng = np.random.default_rng(0)
    shapes = {"first": (len(CHANNELS), 16), "wide.in": (16, width), "wide.out": (width, 16)}
    shapes |= {"last": (16, len(LETTERS))}
    weights = {
        name: 0.1 * rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()
    }
    node = helper.make_node
    nodes = [
        node("MatMul", ["samples", "first"], ["a"], name="/first/MatMul"),
        node("MatMul", ["a", "wide.in"], ["b"], name="/wide/MatMul"),
        node("Relu", ["b"], ["c"], name="/wide/Relu"),
        node("MatMul", ["c", "wide.out"], ["d"], name="/wide/MatMul_1"),
        node("MatMul", ["d", "last"], ["e"], name="/last/MatMul"),
        node("LogSoftmax", ["e"], ["log_probs"], name="/last/LogSoftmax", axis=-1),
    ]
    shape_in, shape_out = (1, 20, len(CHANNELS)), (1, 20, len(LETTERS))
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, shape_out)],
        [numpy_helper.from_array(array.astype(np.float32), n) for n, array in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    file = ModelFile(
        input=Tensor(name="samples", shape=shape_in),
        output=Tensor(name="log_probs", shape=shape_out),
    )
    return made.SerializeToString(), file


def test_a_layer_slowed_on_purpose_is_named_and_batches_are_made_where_they_can(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(folder / "wide.eegb", model=wide_model(WIDE))
    make_bundle(folder / "even.eegb", model=wide_model(16))
    words = (folder / "even.eegb", folder / "wide.eegb", folder / "r.xdf", "--seconds", 3)
    even, wide, summary = profile(capsys, *words)
    bottleneck = summary["bundles"]["wide"]["bottleneck"]
    assert (bottleneck["stage"], bottleneck["layer"]) == ("model", "wide")
    assert bottleneck["layer_share"] > 0.8
    assert "of it wide " in bottleneck["sentence"]
    (file,) = wide["model"]["files"]
    layers = {row["name"]: row for row in file["layers"]}
    assert layers["wide"]["flops"] == 2 * 2 * 20 * 16 * WIDE
    assert layers["wide"]["parameters"] == 2 * 16 * WIDE
    assert wide["model"]["parameters"] > 100 * even["model"]["parameters"]
    assert wide["model"]["ratio_p50"][0] > 2.0
    assert even["model"]["ratio_p50"][0] == 1.0
    together = {row["n_batch"]: row for row in even["model"]["throughput"]}
    assert together[2]["windows_per_s"] > 0


def test_a_network_is_counted_by_torch_too_and_every_switch_leaves_its_files(
    folder: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out"
    words = (trained, folder / "said.xdf", "--seconds", 10, "--out", out)
    found, summary = profile(capsys, *words, "--cprofile", "--torch")
    (file,) = found["model"]["files"]
    assert file["flops"] == file["flops_torch"] > 0
    assert found["model"]["has_network"]
    names = {row["name"] for row in file["layers"]}
    assert {"filters", "gru layer 1", "gru layer 2", "head"} <= names
    assert {(row["how"], row["n_batch"]) for row in found["model"]["throughput"]} == {
        ("ONNX Runtime", 1),
        ("ONNX Runtime", 2),
        ("torch", 1),
        ("torch", 2),
    }
    refused = next(row for row in found["model"]["throughput"] if row["note"])
    assert "the file takes 1 window a call" in refused["note"]
    assert refused["windows_per_s"] is None
    kept = {path.name for path in out.iterdir()}
    assert kept == set(summary["files"])
    assert kept == {
        "gru.model.json",
        "gru.pstats",
        "gru.torch.json",
        "gru.torch.txt",
        "profile.json",
        "profile.txt",
    }
    events = json.loads((out / "gru.model.json").read_text())
    assert any(event["cat"] == "Node" for event in events)
    assert json.loads((out / "gru.torch.json").read_text())["traceEvents"]
    functions = {name for _, _, name in pstats.Stats(str(out / "gru.pstats")).stats}  # type: ignore[attr-defined]
    assert {"push_marking", "through"} <= functions
    text = (out / "profile.txt").read_text()
    assert "cProfile made the replay" in text
    assert "torch's profiler made 20 calls" in text
    assert "nn.Module: GRU_0" in (out / "gru.torch.txt").read_text()
    report = json.loads((out / "profile.json").read_text())
    assert report["profiles"] == [{k: v for k, v in found.items() if k != "type"}]


def test_a_profile_is_not_replaced_unless_forced(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("profile", str(folder / "tiny.eegb"), "--out", str(tmp_path / "p"), *QUICK)
    assert main(words) == 0
    assert main(words) == 2
    assert "holds a profile, wanted another place or --force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0


def test_nothing_is_left_behind_that_was_not_asked_for(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = sorted(folder.iterdir())
    profile(capsys, folder / "tiny.eegb", folder / "r.xdf")
    ours = [path for path in tmp_path.iterdir() if path.name != ".ses"]  # ONNX Runtime's import
    assert ours == []
    assert sorted(folder.iterdir()) == before


def test_a_network_that_writes_is_two_files(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bundle(folder / "writes.eegb", head="seq2seq")
    write_recording(folder / "p.xdf", pulses("ab ba b ab", n_samples=1500))
    found, _ = profile(capsys, folder / "writes.eegb", folder / "p.xdf")
    encoder, step = found["model"]["files"]
    assert (encoder["path"], encoder["calls_per_hop"]) == ("model.onnx", 1.0)
    assert step["path"] == "step.onnx"
    assert step["calls_per_hop"] > 0
    assert step["plain_us"] > 0


def test_a_person_reads_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    tiny, words = str(folder / "tiny.eegb"), ("--blocks", "2", "--windows", "5")
    assert main(["profile", tiny, tiny, str(folder / "r.xdf"), *words]) == 0
    said = capsys.readouterr().out
    for wanted in (
        "a multiplication and an addition are two",
        "by layer",
        "ms a hop, by stage",
        "side by side",
        "resident memory",
        "times as fast",
    ):
        assert wanted in said
    assert all(len(line) <= 170 for line in said.splitlines()[:-2])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nosuch.eegb",), 65, "no such bundle, wanted a folder or an .eegb file"),
        (("broken.eegb",), 65, "broken.eegb"),
        (("tiny.eegb", "nosuch.xdf"), 65, "nosuch.xdf"),
        (("tiny.eegb", "fast.xdf"), 65, "rate is 500 Hz, the bundle 'tiny-ctc' wants 250 Hz"),
        (("tiny.eegb", "r.xdf", "r.xdf"), 2, "got 2 recordings, wanted one at most"),
        (("r.xdf",), 2, "a recording, wanted a bundle"),
        (("tiny.eegb", "--cprofile"), 2, "--cprofile: wanted --out FOLDER"),
        (("tiny.eegb", "--cprofile", "--out", "o"), 2, "profiles the chain, wanted a recording"),
        (("tiny.eegb", "--torch", "--out", "o"), 65, "holds no network to run in torch"),
        (("tiny.eegb", "--batches", "1,x"), 2, "--batches: got '1,x'"),
        (("tiny.eegb", "--seconds", "3"), 2, "--seconds: is of a recording"),
        (("tiny.eegb", "r.xdf", "--seconds", "-3"), 2, "--seconds: got -3.0"),
        (("tiny.eegb", "--blocks", "1"), 2, "--blocks: got 1, wanted 2 or more"),
        (("tiny.eegb", "--out", "r.xdf"), 2, "is a file, wanted a folder"),
    ],
)
def test_bad_input_is_one_sentence(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(folder)
    Path("broken.eegb").write_bytes(b"no zip")
    if not Path("fast.xdf").exists():
        write_fast(Path("fast.xdf"))
    capsys.readouterr()
    assert main(["profile", *words]) == code
    found = capsys.readouterr()
    assert said in found.err
    assert found.err.startswith("eegscribe: ")
    assert found.err.count("\n") == 1
    assert found.out == ""
    assert not Path("o").exists()


def write_fast(path: Path) -> None:
    session = synthesise("a", seed=1, settings=SynthesisSettings(rate_hz=500.0))
    write_xdf(path, session, name="fast", rate_hz=500.0)


@needs_data
def test_a_real_recording_through_a_speller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(recording(f"ssvep32_run{k}.xdf")) for k in (1, 2)]
    layout, out = str(recording("ssvep32_layout.json")), tmp_path / "s.eegb"
    words = ("calibrate", *runs, "--paradigm", "ssvep", "--layout", layout, "--out", str(out))
    assert main(words) == 0
    found, _ = profile(capsys, out, recording("ssvep32_run3.xdf"), "--seconds", 60)
    pipeline = found["pipeline"]
    assert sum(pipeline["replay_s"].values()) == pytest.approx(pipeline["elapsed_s"], rel=0.02)
    assert pipeline["n_decodes"] > 0
    accuracy = found["model"]["accuracy"]
    assert accuracy["beside_is"] == "chance"
    assert 0.0 < accuracy["beside"] < 0.1 < accuracy["value"]
