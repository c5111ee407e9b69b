"""``eegscribe quantize``: from a float bundle to one of fewer bits that opens, runs and replays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec.structs import replace

from models.bundle import load_bundle, write_bundle
from models.weights import WEIGHTS
from runtime.engine import open_engine
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tests.bundles import make_bundle
from tools.cli import main
from tools.training.transcribe import finals
from tools.verbs.simulate import write_xdf

if TYPE_CHECKING:
    from pathlib import Path

GRU = ("network.n_hidden=24", "network.n_features=32", "network.n_layers=2", "data.held_out=0.3")
TRANSFORMER = (
    "network.n_width=32",
    "network.n_inner=48",
    "network.n_layers=1",
    "network.n_features=32",
    "data.held_out=0.3",
)
QUICK = ("--blocks", "2", "--windows", "4", "--texts", "1", "--json")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("given") / "r.xdf"
    settings = SynthesisSettings(between_s=8.0)
    session = synthesise(["ab", "ba", "aab", "bb", "abb"], seed=1, settings=settings)
    write_xdf(path, session, name="r", rate_hz=250.0)
    return path


def trained(recording: Path, name: str, recipe: str, changes: tuple[str, ...]) -> Path:
    path = recording.with_name(name)
    words = [word for change in changes for word in ("--set", change)]
    words += ["--recipe", recipe, "--steps", "2", "--batch", "2", "--out", str(path)]
    assert main(["train", str(recording), *words]) == 0
    return path


@pytest.fixture(scope="module")
def gru(recording: Path) -> Path:
    return trained(recording, "gru.eegb", "gru-ctc", GRU)


@pytest.fixture(scope="module")
def transformer(recording: Path) -> Path:
    return trained(recording, "transformer.eegb", "transformer", TRANSFORMER)


def quantize(bundle: Path, out: Path, *words: str) -> int:
    recording = bundle.with_name("r.xdf")
    return main(["quantize", str(bundle), str(recording), "--out", str(out), *QUICK, *words])


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("words", "precision", "names"),
    [
        (("--method", "dynamic"), "int8", ["int8, dynamic"]),
        (("--method", "static"), "int8", ["int8, static"]),
        (("--method", "static", "--bits", "4"), "int4", ["int4, static"]),
        (("--method", "mixed", "--smaller", "0.95"), "mixed", ["int8, static", "mixed"]),
        (("--method", "qat", "--steps", "2"), "int4", ["int4, static", "int4, trained"]),
    ],
)
def test_a_recurrent_bundle_gets_fewer_bits_and_says_where_it_is_from(
    gru: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    precision: str,
    names: list[str],
) -> None:
    before, out = gru.read_bytes(), tmp_path / "small.eegb"
    assert quantize(gru, out, "--allow-slower", *words) == 0
    told, bundle, parent = summary(capsys), load_bundle(out), load_bundle(gru)
    assert gru.read_bytes() == before
    manifest = bundle.manifest
    assert manifest.pipeline == parent.manifest.pipeline
    assert manifest.model.precision == manifest.optimisation.precision == precision
    assert manifest.provenance.parent == parent.sha256 == told["parent"]
    assert manifest.provenance.command.startswith("eegscribe ")
    assert manifest.evaluation.verdict == "not evaluated"
    assert manifest.confidence is None
    assert manifest.network is None
    assert WEIGHTS not in bundle.files
    assert set(manifest.optimisation.latency_ms) == {"p50", "p99"}
    assert [line["name"] for line in told["lines"]] == [
        "float32, torch",
        "float32, runtime",
        *names,
    ]
    assert told["kept"] == names[-1]
    assert told["sha256"] == bundle.sha256
    assert len(bundle.files["model.onnx"]) < 0.5 * len(parent.files["model.onnx"])
    finals(open_engine(out), synthesise("ab", seed=5).samples)  # golden vectors hold, it runs
    assert json.loads(out.with_name("small.quantize.json").read_text())["sha256"] == bundle.sha256
    assert not out.with_name("small.eegb.quantizing").exists()


@pytest.mark.parametrize("method", ["dynamic", "static", "mixed"])
def test_a_network_that_writes_has_both_its_files_quantized(
    transformer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    out = tmp_path / "small.eegb"
    assert quantize(transformer, out, "--allow-slower", "--method", method) == 0
    bundle, parent = load_bundle(out), load_bundle(transformer)
    assert bundle.manifest.step is not None
    assert bundle.manifest.step.precision == bundle.manifest.model.precision
    for path in ("model.onnx", "step.onnx"):
        assert len(bundle.files[path]) < 0.8 * len(parent.files[path])
    finals(open_engine(out), synthesise("ab", seed=5).samples)
    assert summary(capsys)["bits"].keys() > {"model.onnx/network.filters"}


def test_what_is_not_faster_is_not_written(
    gru: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.compression.quantizing.table.FASTER", 0.0)
    out = tmp_path / "small.eegb"
    assert quantize(gru, out, "--method", "dynamic") == 1
    said = capsys.readouterr()
    assert "not shown to be faster" in said.err
    assert json.loads(said.out.splitlines()[-1])["written"] is False
    assert not out.exists()


def test_what_is_quantized_is_not_quantized_again(
    gru: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.eegb"
    assert quantize(gru, out, "--allow-slower", "--method", "dynamic") == 0
    again = ["quantize", str(out), str(gru.with_name("r.xdf")), "--out", str(tmp_path / "b.eegb")]
    assert main(again) == 65
    assert "model.precision: got int8, wanted float32" in capsys.readouterr().err


def test_another_cut_of_the_samples_changes_no_bit(gru: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.eegb"
    assert quantize(gru, out, "--allow-slower", "--method", "static") == 0
    engine, samples = open_engine(out), synthesise("ab", seed=5).samples
    given: list[list[bytes]] = []
    for size in (1, 37, len(samples)):
        model = _Recorder(engine.model())
        chain = engine.chain(model=model)
        for start in range(0, len(samples), size):
            chain.push(samples[start : start + size])
        given.append(model.outputs)
    assert given[0] == given[1] == given[2]


class _Recorder:
    def __init__(self, model: Any) -> None:
        self._model = model
        self.outputs: list[bytes] = []

    def run(self, window: Any) -> Any:
        found = self._model.run(window)
        self.outputs.append(np.asarray(found).tobytes())
        return found

    def reset(self) -> None:
        self._model.reset()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "mixed", "--bits", "4"), "--bits: is for a uniform"),
        (("--method", "static", "--steps", "3"), "--steps, --rate: are for --method qat"),
        (("--method", "mixed", "--smaller", "0"), "--smaller: got 0.0"),
        (("--smaller", "0.5"), "--smaller: is for --method mixed"),
        (("--simulate",), "wanted either recordings or --simulate"),
        (("--blocks", "1"), "--blocks: got 1, wanted 2 or more"),
    ],
)
def test_wrong_words_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    given = ["quantize", str(tmp_path / "b.eegb"), "r.xdf", "--out", str(tmp_path / "c.eegb")]
    assert main([*given, *words]) == 2
    assert said in capsys.readouterr().err


def test_without_recordings_time_alone_is_compared(
    gru: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.eegb"
    words = ["quantize", str(gru), "--out", str(out), "--method", "dynamic", "--allow-slower"]
    assert main([*words, *QUICK]) == 0
    told = summary(capsys)
    assert (told["data"], told["n_texts"]) == ("golden", 0)
    assert all(line["errors"] is None for line in told["lines"])
    assert main([*words, *QUICK, "--method", "static", "--force"]) == 2
    assert "wanted recordings or --simulate" in capsys.readouterr().err


def test_a_speller_is_neither_simulated_nor_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speller = tmp_path / "s.eegb"
    make_bundle(speller, head="selection")
    words = ["quantize", str(speller), "--out", str(tmp_path / "o.eegb")]
    assert main([*words, "--simulate"]) == 2
    assert "was not trained on the simulated person, wanted recordings" in capsys.readouterr().err
    assert main([*words, "r.xdf", "--method", "qat"]) == 65
    assert "holds no weights.safetensors, wanted a trainable bundle" in capsys.readouterr().err


def test_a_bundle_that_train_did_not_make_is_measured_on_any_labelled_recording(
    gru: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = load_bundle(gru)
    provenance = replace(bundle.manifest.provenance, recipe={})
    foreign, out = tmp_path / "foreign.eegb", tmp_path / "small.eegb"
    files = {name: data for name, data in bundle.files.items() if name != WEIGHTS}
    write_bundle(foreign, replace(bundle.manifest, provenance=provenance, network=None), files)
    recording = gru.with_name("r.xdf")
    words = ["quantize", str(foreign), str(recording), "--out", str(out), "--method", "static"]
    assert main([*words, "--allow-slower", *QUICK]) == 0
    told = summary(capsys)
    assert told["n_texts"] == 1  # --texts
    assert told["notes"][0] == "ranges of r.xdf, errors of r.xdf, as there is no other"
    assert told["notes"][1].startswith("the bundle has learnt from r.xdf")
    assert [line["name"] for line in told["lines"]] == ["float32, runtime", "int8, static"]
    open_engine(out)
