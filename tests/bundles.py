"""Tiny real bundles for tests: a model of a few weights, built with onnx, written as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.bundle import Bundle, write_bundle
from models.golden import GOLDEN, draw_tokens, run_steps, run_windows, write_golden
from models.manifest import Manifest, ModelFile, Provenance, StatePair, StepFile, Tensor
from models.onnx_backend import OnnxModel, open_session
from models.onnx_seq2seq import OnnxStepper, open_step_session
from pipeline.design_band import design
from pipeline.spec import (
    Band,
    CtcDecoder,
    EventWindow,
    PipelineSpec,
    SelectionDecoder,
    Seq2SeqDecoder,
    SlidingWindow,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.values import Samples

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


def seq2seq_spec(**changes: object) -> PipelineSpec:
    """Windows of 12 frames of 10 samples, two new frames in each."""
    spec = PipelineSpec(
        rate_hz=RATE_HZ,
        channels=CHANNELS,
        bands=(Band(low_hz=1.0, high_hz=40.0, order=2),),
        window=SlidingWindow(window_samples=120, hop_samples=20),
        decoder=Seq2SeqDecoder(stability_s=0.12, endpoint_s=0.2, commit_words=False),
        vocabulary=LETTERS,
    )
    return design(msgspec.structs.replace(spec, **changes))


SPECS = {"ctc": ctc_spec, "selection": selection_spec, "seq2seq": seq2seq_spec}


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


def seq2seq_encoder(*, threshold_uv: float = 14.0) -> tuple[bytes, ModelFile]:
    """Memory of 12 frames: the loudness of channel k - 1 is the logit of symbol k, quiet ends.

    A frame says nothing while all its channels are below ``threshold_uv``, by mean magnitude.
    """
    n_channels, n_symbols = len(CHANNELS), len(LETTERS)
    weight = np.zeros((n_channels, n_symbols), dtype=np.float32)
    weight[:, 1:] = np.eye(n_channels)
    bias = np.zeros(n_symbols, dtype=np.float32)
    bias[0] = threshold_uv
    init = [
        numpy_helper.from_array(np.array([1, 12, 10, n_channels], dtype=np.int64), "shape"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "axis"),
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(bias, "bias"),
    ]
    nodes = [
        helper.make_node("Reshape", ["samples", "shape"], ["frames"]),
        helper.make_node("Abs", ["frames"], ["size"]),
        helper.make_node("ReduceMean", ["size", "axis"], ["loud"], keepdims=0),
        helper.make_node("MatMul", ["loud", "weight"], ["drive"]),
        helper.make_node("Add", ["drive", "bias"], ["memory"]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [_value("samples", (1, 120, n_channels))],
        [_value("memory", (1, 12, n_symbols))],
        init,
    )
    file = ModelFile(
        input=Tensor(name="samples", shape=(1, 120, n_channels)),
        output=Tensor(name="memory", shape=(1, 12, n_symbols)),
    )
    return _save(graph), file


def seq2seq_step(*, n_rows: int = 4, max_symbols: int = 16) -> tuple[bytes, StepFile]:
    """Attend to the next frame that says something; its logits, and a little of what was said.

    The first cache holds 1 for every frame up to the one attended last, the second what was said.
    """
    n_frames, n_symbols = 12, len(LETTERS)
    order = -0.3 * np.arange(n_frames, dtype=np.float32)
    rest = np.zeros(n_frames, dtype=np.float32)
    rest[-1] = 10.0  # where to look when no frame says anything more
    echo = 0.2 * np.random.default_rng(5).standard_normal((n_symbols, n_symbols))
    init = [
        numpy_helper.from_array(order[np.newaxis], "order"),
        numpy_helper.from_array(rest[np.newaxis], "rest"),
        numpy_helper.from_array(echo.astype(np.float32), "echo"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "symbols"),
        numpy_helper.from_array(np.array([0], dtype=np.int64), "zero"),
        numpy_helper.from_array(np.array(1, dtype=np.int64), "one"),
        numpy_helper.from_array(np.array([0], dtype=np.int64), "first"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "second"),
        numpy_helper.from_array(np.array([n_symbols], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array(1.0, dtype=np.float32), "unit"),
        numpy_helper.from_array(np.array(20.0, dtype=np.float32), "steep"),
        numpy_helper.from_array(np.array(0.5, dtype=np.float32), "half"),
        numpy_helper.from_array(np.array(1e-3, dtype=np.float32), "small"),
    ]
    node = helper.make_node
    nodes = [
        node("Slice", ["memory", "second", "last", "symbols"], ["speech"]),  # (1, F, V - 1)
        node("Slice", ["memory", "first", "second", "symbols"], ["quiet"]),  # (1, F, 1)
        node("ReduceMax", ["speech", "symbols"], ["loudest"], keepdims=1),
        node("Sub", ["loudest", "quiet"], ["above"]),
        node("Squeeze", ["above", "symbols"], ["above_frames"]),  # (1, F)
        node("Mul", ["above_frames", "steep"], ["above_steep"]),
        node("Sigmoid", ["above_steep"], ["says"]),
        node("Sub", ["unit", "cache_0"], ["open"]),  # (R, F)
        node("Mul", ["says", "open"], ["next"]),
        node("Mul", ["next", "steep"], ["next_steep"]),
        node("Sub", ["unit", "next"], ["silent"]),
        node("Mul", ["silent", "rest"], ["elsewhere"]),
        node("Sum", ["next_steep", "order", "elsewhere"], ["keys"]),
        node("Mul", ["keys", "steep"], ["keys_steep"]),
        node("Softmax", ["keys_steep"], ["attention"], axis=-1),
        node("CumSum", ["attention", "one"], ["up_to"], reverse=1),
        node("Max", ["cache_0", "up_to"], ["cache_0_next"]),
        node("Squeeze", ["memory", "zero"], ["frames"]),  # (F, V)
        node("MatMul", ["attention", "frames"], ["heard"]),  # (R, V)
        node("Gather", ["echo", "tokens"], ["told"]),
        node("Mul", ["cache_1", "half"], ["faded"]),
        node("Add", ["faded", "told"], ["cache_1_next"]),
        node("Add", ["heard", "cache_1_next"], ["echoed"]),
        node("Cast", ["position"], ["place"], to=TensorProto.FLOAT),
        node("Mul", ["place", "small"], ["drift"]),
        node("Mul", ["echoed", "half"], ["scaled"]),
        node("Add", ["scaled", "drift"], ["logits"]),
        node("LogSoftmax", ["logits"], ["log_probs"], axis=-1),
    ]
    integer = TensorProto.INT64
    graph = helper.make_graph(
        nodes,
        "step",
        [
            helper.make_tensor_value_info("tokens", integer, (n_rows,)),
            helper.make_tensor_value_info("position", integer, (1,)),
            _value("memory", (1, n_frames, n_symbols)),
            _value("cache_0", (n_rows, n_frames)),
            _value("cache_1", (n_rows, n_symbols)),
        ],
        [
            _value("log_probs", (n_rows, n_symbols)),
            _value("attention", (n_rows, n_frames)),
            _value("cache_0_next", (n_rows, n_frames)),
            _value("cache_1_next", (n_rows, n_symbols)),
        ],
        init,
    )
    file = StepFile(
        n_rows=n_rows,
        max_symbols=max_symbols,
        output=Tensor(name="log_probs", shape=(n_rows, n_symbols)),
        attention=Tensor(name="attention", shape=(n_rows, n_frames)),
        cache=(
            StatePair(input="cache_0", output="cache_0_next", shape=(n_rows, n_frames)),
            StatePair(input="cache_1", output="cache_1_next", shape=(n_rows, n_symbols)),
        ),
    )
    return _save(graph), file


def pulses(text: str, *, n_samples: int, start: int = 200, every: int = 40) -> Samples:
    """Return EEG in which the tiny seq2seq model reads ``text``: a burst a symbol, a frame long."""
    rng = np.random.default_rng(0)
    samples = 0.5 * rng.standard_normal((n_samples, len(CHANNELS)))
    for k, symbol in enumerate(text):
        at = start + k * every
        burst = 45.0 * np.sin(2 * np.pi * np.arange(10) / 10)
        samples[at : at + 10, LETTERS.index(symbol) - 1] += burst
    return samples.astype(np.float32)


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
    files, step = dict(extra or {}), None
    if model is not None:
        data, file = model
    elif head == "seq2seq":
        data, file = seq2seq_encoder()
        files["step.onnx"], step = seq2seq_step()
    else:
        data, file = ctc_model(n_channels=n_channels) if head == "ctc" else selection_model()
    files["model.onnx"] = data
    manifest = Manifest(
        format_version=1,
        name=f"tiny-{head}",
        created="2026-11-22T00:00:00Z",
        pipeline=spec or SPECS[head](),
        model=file,
        step=step,
        files={},
        provenance=Provenance(command="tests.bundles.make_bundle"),
    )
    bundle = Bundle(manifest, "", files)
    rng = np.random.default_rng(1)
    windows = rng.standard_normal((4, *file.input.shape[1:])).astype(np.float32)
    outputs = run_windows(OnnxModel(open_session(bundle), file), windows)
    steps = None
    if step is not None:
        stepper = OnnxStepper(open_step_session(bundle), step, file)
        steps = run_steps(stepper, outputs, draw_tokens(stepper, n=len(outputs), n_steps=5))
    files[GOLDEN] = write_golden(windows, outputs, steps)
    return write_bundle(path, manifest, files)
