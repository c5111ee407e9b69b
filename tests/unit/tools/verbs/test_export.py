from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.bundle import load_bundle
from models.golden import GOLDEN
from models.manifest import ModelFile, Tensor
from runtime.engine import open_engine
from tests.bundles import CHANNELS, LETTERS, make_bundle
from tools.cli import main


def export(source: Path, out: Path, kind: str, *more: str) -> int:
    return main(["export", str(source), "--format", kind, "--out", str(out), *more])


def with_batch_norm() -> tuple[bytes, ModelFile]:
    """A convolution of 10 samples, a batch norm, log-probabilities of two frames."""
    rng = np.random.default_rng(0)
    n_channels, n_symbols = len(CHANNELS), len(LETTERS)
    constants = {
        "kernel": 0.1 * rng.standard_normal((n_symbols, n_channels, 10)),
        "scale": rng.uniform(0.5, 2.0, n_symbols),
        "bias": rng.standard_normal(n_symbols),
        "mean": rng.standard_normal(n_symbols),
        "variance": rng.uniform(0.5, 2.0, n_symbols),
    }
    nodes = [
        helper.make_node("Transpose", ["samples"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["turned", "kernel"], ["heard"], strides=[10]),
        helper.make_node(
            "BatchNormalization", ["heard", "scale", "bias", "mean", "variance"], ["normed"]
        ),
        helper.make_node("Transpose", ["normed"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("LogSoftmax", ["frames"], ["log_probs"], axis=2),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "ctc",
        [value("samples", TensorProto.FLOAT, [1, 20, n_channels])],
        [value("log_probs", TensorProto.FLOAT, [1, 2, n_symbols])],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    file = ModelFile(
        input=Tensor(name="samples", shape=(1, 20, n_channels)),
        output=Tensor(name="log_probs", shape=(1, 2, n_symbols)),
    )
    return model.SerializeToString(), file


@pytest.mark.parametrize("head", ["ctc", "selection", "seq2seq"])
@pytest.mark.parametrize("kind", ["onnx-float32", "onnx-float16"])
def test_a_bundle_of_every_head_is_made_anew_and_runs(
    tmp_path: Path, head: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "b.eegb", tmp_path / "out.eegb"
    parent = make_bundle(source, head=head)
    before = source.read_bytes()
    assert export(source, out, kind, "--blocks", "0", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["difference"] <= told["tolerance"]
    engine = open_engine(out)  # replays the golden vectors
    manifest = engine.bundle.manifest
    assert manifest.provenance.parent == parent == told["parent"]
    assert manifest.provenance.command.startswith("eegscribe ")
    assert manifest.evaluation.verdict == "not evaluated"
    assert manifest.model.precision == manifest.optimisation.precision == kind[5:]
    assert manifest.model.input.dtype == "float32"
    assert source.read_bytes() == before


def test_a_batch_norm_goes_into_its_convolution(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "b.eegb", tmp_path / "out.eegb"
    make_bundle(source, model=with_batch_norm())
    assert export(source, out, "onnx-float32", "--blocks", "0", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["batch_norms_before"], told["batch_norms"]) == (1, 0)
    model = onnx.load_from_string(load_bundle(out).files["model.onnx"])
    assert {opset.domain for opset in model.opset_import} == {""}


def test_half_precision_halves_the_weights_and_leaves_the_edges(tmp_path: Path) -> None:
    source, out = tmp_path / "b.eegb", tmp_path / "out.eegb"
    make_bundle(source)
    assert export(source, out, "onnx-float16", "--blocks", "0") == 0
    model = onnx.load_from_string(load_bundle(out).files["model.onnx"])
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert kinds["weight"] == TensorProto.FLOAT16
    values = [*model.graph.input, *model.graph.output]
    assert {value.type.tensor_type.elem_type for value in values} == {TensorProto.FLOAT}


def test_golden_windows_are_the_parents(tmp_path: Path) -> None:
    source, out = tmp_path / "b.eegb", tmp_path / "out.eegb"
    make_bundle(source)
    assert export(source, out, "onnx-float16", "--blocks", "0") == 0
    windows = []
    for path in (source, out):
        with np.load(io.BytesIO(load_bundle(path).files[GOLDEN])) as arrays:
            windows.append(arrays["windows"])
    np.testing.assert_array_equal(*windows)


def test_weights_that_16_bit_cannot_hold_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, file = with_batch_norm()
    model = onnx.load_from_string(data)
    kernel = next(t for t in model.graph.initializer if t.name == "kernel")
    mean = next(t for t in model.graph.initializer if t.name == "mean")
    rng = np.random.default_rng(1)
    huge = 1e5 * rng.standard_normal(numpy_helper.to_array(kernel).shape)
    kernel.CopyFrom(numpy_helper.from_array(huge.astype(np.float32), "kernel"))
    mean.CopyFrom(numpy_helper.from_array(np.zeros(len(LETTERS), np.float32), "mean"))
    variance = next(t for t in model.graph.initializer if t.name == "variance")
    large = np.full(len(LETTERS), 1e10, np.float32)
    variance.CopyFrom(numpy_helper.from_array(large, "variance"))
    source, out = tmp_path / "b.eegb", tmp_path / "out.eegb"
    make_bundle(source, model=(model.SerializeToString(), file))
    more = ("--blocks", "0", "--optimise", "none")
    status = export(source, out, "onnx-float16", *more)
    assert status == 1
    assert "nothing was written" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("kind", "name", "status", "said"),
    [
        ("pt2", "out.pt2", 65, "holds no weights.safetensors"),
        ("pt2", "out.bin", 2, "ends in .pt2"),
        ("onnx-float32", "b.eegb", 2, "is the bundle that was given"),
        ("onnx-float32", "there.eegb", 2, "exists already"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, name: str, status: int, said: str
) -> None:
    make_bundle(tmp_path / "b.eegb")
    (tmp_path / "there.eegb").touch()
    assert export(tmp_path / "b.eegb", tmp_path / name, kind, "--blocks", "0") == status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_without_a_gpu_the_reason_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.packaging.tensorrt_cache.missing", lambda _: "no such thing")
    make_bundle(tmp_path / "b.eegb")
    assert export(tmp_path / "b.eegb", tmp_path / "trt", "tensorrt", "--blocks", "0") == 1
    assert "does not work here (no such thing)" in capsys.readouterr().err
    assert not (tmp_path / "trt").exists()


def test_speed_is_told_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "b.eegb", tmp_path / "out.eegb"
    make_bundle(source)
    assert export(source, out, "onnx-float32", "--blocks", "2") == 0
    assert "by turns, one thread" in capsys.readouterr().out
    kept = load_bundle(out).manifest.optimisation
    assert set(kept.latency_ms) == {"p50", "p99"}
    assert msgspec.to_builtins(kept)["precision"] == "float32"
