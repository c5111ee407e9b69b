"""Tiny real bundles for tests: a model of a few weights, built with onnx, written as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.bundle import Bundle, write_bundle
from models.golden import GOLDEN, run_windows, write_golden
from models.manifest import Manifest, ModelFile, Provenance, StatePair, Tensor
from models.onnx_backend import OnnxModel, open_session
from pipeline.design_band import design
from pipeline.spec import (
    Band,
    CtcDecoder,
    EventWindow,
    PipelineSpec,
    SelectionDecoder,
    SlidingWindow,
)

if TYPE_CHECKING:
    from pathlib import Path

CHANNELS = ("Fz", "Cz", "Pz", "Oz")
RATE_HZ = 250.0
LETTERS = ("", "a", "b", " ", "<backspace>")


def ctc_spec(**changes: object) -> PipelineSpec:
    """A stateful pipeline of one band, 2 frames of 10 samples a call."""
    spec = PipelineSpec(
        rate_hz=RATE_HZ,
        channels=CHANNELS,
        bands=(Band(low_hz=1.0, high_hz=40.0, order=2),),
        window=SlidingWindow(window_samples=20, hop_samples=20),
        decoder=CtcDecoder(method="greedy", stability_s=0.2, endpoint_s=0.5),
        vocabulary=LETTERS,
    )
    return design(msgspec.structs.replace(spec, **changes))


def selection_spec(**changes: object) -> PipelineSpec:
    """A speller of four symbols with checkpoints at 0.2 and 0.4 s."""
    spec = PipelineSpec(
        rate_hz=RATE_HZ,
        channels=CHANNELS,
        bands=(Band(low_hz=1.0, high_hz=40.0, order=2),),
        window=EventWindow(offset_samples=25, length_samples=100, checkpoints_samples=(50, 100)),
        decoder=SelectionDecoder(max_stimuli=1),
        vocabulary=("A", "B", " ", "<backspace>"),
    )
    return design(msgspec.structs.replace(spec, **changes))


def _save(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _value(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def ctc_model(
    seed: int = 0, *, gain: float = 0.15, n_channels: int = len(CHANNELS)
) -> tuple[bytes, ModelFile]:
    """Frames of 10 samples, a leaky state, log-probabilities of LETTERS."""
    rng = np.random.default_rng(seed)
    n_features = 10 * n_channels
    weight = (gain * rng.standard_normal((n_features, len(LETTERS)))).astype(np.float32)
    bias = np.array([2.0, 0, 0, 0, -1.0], dtype=np.float32)
    init = [
        numpy_helper.from_array(np.array([2, n_features], dtype=np.int64), "shape"),
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.array(0.5, dtype=np.float32), "leak"),
        numpy_helper.from_array(np.array([0], dtype=np.int64), "zero"),
    ]
    nodes = [
        helper.make_node("Reshape", ["samples", "shape"], ["frames"]),
        helper.make_node("MatMul", ["frames", "weight"], ["drive"]),
        helper.make_node("Add", ["drive", "bias"], ["biased"]),
        helper.make_node("Add", ["biased", "state_0"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["flat"], axis=-1),
        helper.make_node("Unsqueeze", ["flat", "zero"], ["log_probs"]),
        helper.make_node("ReduceMean", ["drive", "zero"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "leak"], ["state_0_next"]),
    ]
    n_symbols = len(LETTERS)
    graph = helper.make_graph(
        nodes,
        "ctc",
        [_value("samples", (1, 20, n_channels)), _value("state_0", (1, n_symbols))],
        [_value("log_probs", (1, 2, n_symbols)), _value("state_0_next", (1, n_symbols))],
        init,
    )
    file = ModelFile(
        input=Tensor(name="samples", shape=(1, 20, n_channels)),
        output=Tensor(name="log_probs", shape=(1, 2, n_symbols)),
        state=(StatePair(input="state_0", output="state_0_next", shape=(1, n_symbols)),),
    )
    return _save(graph), file


def selection_model(seed: int = 0) -> tuple[bytes, ModelFile]:
    """Causal running scores of four symbols, read off after 50 and 100 samples."""
    rng = np.random.default_rng(seed)
    weight = (0.3 * rng.standard_normal((len(CHANNELS), 4))).astype(np.float32)
    rows = np.zeros((2, 100), dtype=np.float32)
    rows[0, :50] = rows[1, :] = 0.02
    init = [
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(rows[np.newaxis], "rows"),
    ]
    nodes = [
        helper.make_node("MatMul", ["samples", "weight"], ["drive"]),
        helper.make_node("Mul", ["drive", "drive"], ["power"]),
        helper.make_node("MatMul", ["rows", "power"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "selection",
        [_value("samples", (1, 100, len(CHANNELS)))],
        [_value("scores", (1, 2, 4))],
        init,
    )
    file = ModelFile(
        input=Tensor(name="samples", shape=(1, 100, len(CHANNELS))),
        output=Tensor(name="scores", shape=(1, 2, 4)),
    )
    return _save(graph), file


def make_bundle(
    path: Path,
    *,
    head: str = "ctc",
    spec: PipelineSpec | None = None,
    extra: dict[str, bytes] | None = None,
    model: tuple[bytes, ModelFile] | None = None,
) -> str:
    """Write a bundle with true golden vectors; return its digest.

    ``model`` is the ONNX file and its place in the manifest, None for a tiny one of ``head``.
    """
    n_channels = len(CHANNELS if spec is None else spec.channels)
    if model is None:
        model = ctc_model(n_channels=n_channels) if head == "ctc" else selection_model()
    data, file = model
    manifest = Manifest(
        format_version=1,
        name=f"tiny-{head}",
        created="2026-11-22T00:00:00Z",
        pipeline=spec or (ctc_spec() if head == "ctc" else selection_spec()),
        model=file,
        files={},
        provenance=Provenance(command="tests.bundles.make_bundle"),
    )
    files = {"model.onnx": data, **(extra or {})}
    session = open_session(Bundle(manifest, "", files))
    rng = np.random.default_rng(1)
    windows = rng.standard_normal((4, *file.input.shape[1:])).astype(np.float32)
    files[GOLDEN] = write_golden(windows, run_windows(OnnxModel(session, file), windows))
    return write_bundle(path, manifest, files)
