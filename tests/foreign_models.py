"""Tiny models as others make them: ONNX of any layout and opset, weights of published speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tools.cli import main

N_CHANNELS = 3
N_SAMPLES = 20
N_FRAMES = 4
N_SYMBOLS = 5
INNER = ("batch", "time", "channels")


VOCABULARY = "a\nb\n<space>\n<blank>\nc\n"


def import_model(
    tmp_path: Path, model: Path, *more: str, head: str = "ctc", kind: str = "logits"
) -> int:
    """Run the verb on a model, and return its exit code; the bundle is ``b.eegb``."""
    vocabulary = tmp_path / "vocabulary.txt"
    if not vocabulary.exists():
        vocabulary.write_text(VOCABULARY)
    words = ["import-onnx", str(model), "--head", head, "--output-kind", kind]
    words += ["--vocabulary", str(vocabulary), "--rate", "250"]
    words += ["--out", str(tmp_path / "b.eegb"), *more]
    return main(words if "--channels" in more else [*words, "--channels", "Fz,Cz,Pz"])


def foreign_ctc(
    path: Path,
    *,
    layout: str = "batch,channels,time",
    output_layout: str = "batch,time,symbols",
    kind: str = "logits",
    opset: int = 17,
    is_free: bool = False,
    has_state: bool = False,
    domain: str = "",
    is_half: bool = False,
    is_old: bool = False,
    n_samples: int | None = None,
    is_noisy: bool = False,
) -> Path:
    """Write a model that makes a frame of 5 samples, in the layout asked for.

    Inside it turns the layout round to (1, T, C) by nodes of its own. ``n_samples`` is what it says
    that it takes, where that is not what it does; ``is_noisy``: it draws numbers of its own.
    """
    axes, out_axes = layout.split(","), output_layout.split(",")
    sizes = {"batch": 1, "time": N_SAMPLES, "channels": N_CHANNELS, "1": 1}
    named = [axis for axis in axes if axis != "1"]
    rng = np.random.default_rng(3)
    per = N_SAMPLES // N_FRAMES * N_CHANNELS
    kind_of = np.float16 if is_half else np.float32
    constants = {
        "bare": np.array([sizes[axis] for axis in named], np.int64),
        "framed": np.array([1, N_FRAMES, per], np.int64),
        "weight": (0.2 * rng.standard_normal((per, N_SYMBOLS))).astype(kind_of),
        "symbols": np.array([1, N_FRAMES, N_SYMBOLS], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Reshape", ["x", "bare"], ["x_bare"]),
        node("Transpose", ["x_bare"], ["x_ours"], perm=[named.index(axis) for axis in INNER]),
        node("Reshape", ["x_ours", "framed"], ["frames"]),
        node("MatMul", ["frames", "weight"], ["drive"], domain=domain),
    ]
    at = "drive"
    if has_state:
        nodes += [
            node("Add", ["drive", "h0"], ["with_state"]),
            node("ReduceMean", ["with_state"], ["hn"], axes=[1], keepdims=1),
        ]
        at = "with_state"
    if is_noisy:
        nodes += [
            node("RandomNormalLike", [at], ["noise"]),
            node("Add", [at, "noise"], ["noisy"]),
        ]
        at = "noisy"
    if kind != "logits":
        nodes.append(node("Softmax", [at], ["p"], axis=2))
        at = "p"
    if kind == "log-probabilities":
        nodes.append(node("Log", [at], ["log_p"]))
        at = "log_p"
    out_named = [axis for axis in out_axes if axis != "1"]
    order = [("batch", "time", "symbols").index(axis) for axis in out_named]
    out_sizes = {"batch": 1, "time": N_FRAMES, "symbols": N_SYMBOLS, "1": 1}
    constants["leaving"] = np.array([out_sizes[axis] for axis in out_axes], np.int64)
    nodes += [
        node("Transpose", [at], ["turned"], perm=order),
        node("Reshape", ["turned", "leaving"], ["y"]),
    ]
    kinds = TensorProto.FLOAT16 if is_half else TensorProto.FLOAT
    value = helper.make_tensor_value_info
    shape = ["N" if axis == "batch" and is_free else sizes[axis] for axis in axes]
    if is_free:
        shape[axes.index("time")] = "T"
    if n_samples is not None:
        shape[axes.index("time")] = n_samples
    inputs = [value("x", kinds, shape)]
    outputs = [value("y", kinds, [out_sizes[axis] for axis in out_axes])]
    if has_state:
        inputs.append(value("h0", kinds, ["N" if is_free else 1, 1, N_SYMBOLS]))
        outputs.append(value("hn", kinds, [1, 1, N_SYMBOLS]))
    if is_old:  # before the fourth version of the format weights were inputs, too
        inputs += [
            value(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in constants.items()
        ]
    graph = helper.make_graph(
        nodes,
        "foreign",
        inputs,
        outputs,
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(graph, opset_imports=opsets, producer_name="someone", ir_version=8)
    if is_old:
        model.ir_version = 3
    path.write_bytes(model.SerializeToString())
    return path


LEXICON = "to\tT UW\ntwo\tT UW\nsea\tS IY\nay\tEY\n"


def write_speech(path: Path, *, lexicon: Path, n_symbols: int = 41) -> list[str]:
    """Write weights as they were published for speech, and a lexicon; return the channels' names.

    The head is loud enough to say something.
    """
    from safetensors.torch import save_file

    from models.families import build

    settings = {"n_inputs": 6, "n_symbols": n_symbols, "n_hidden": 8, "n_layers": 1, "n_days": 2}
    weights = build("speech-gru", settings, seed=0).state_dict()
    weights["head.weight"] *= 20.0
    save_file({name.replace("head.", "out."): t for name, t in weights.items()}, path)
    lexicon.write_text(LEXICON)
    return [f"ch{k + 1}" for k in range(6)]


def double_convolution(path: Path) -> Path:
    """Write a convolution in float64, which ONNX Runtime has no code for."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "doubles",
        [value("x", TensorProto.DOUBLE, [1, N_CHANNELS, N_SAMPLES])],
        [value("y", TensorProto.DOUBLE, [1, N_SYMBOLS, N_SAMPLES])],
        [numpy_helper.from_array(np.ones((N_SYMBOLS, N_CHANNELS, 1)), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def external_data(path: Path) -> Path:
    """Write a model whose weights lie in another file."""
    foreign_ctc(path)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def foreign_scores(path: Path, *, n_columns: int, is_late: bool = False) -> Path:
    """Write a model (batch, 1, channels, time) that scores a stimulus at 10 and 20 samples.

    ``is_late``: the first row hears all of them.
    """
    rng = np.random.default_rng(4)
    upto = np.zeros((N_SAMPLES, 2), np.float32)
    upto[: N_SAMPLES if is_late else 10, 0] = 0.1
    upto[:, 1] = 0.1
    constants = {
        "bare": np.array([1, N_CHANNELS, N_SAMPLES], np.int64),
        "upto": upto,
        "weight": (0.3 * rng.standard_normal((N_CHANNELS, n_columns))).astype(np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Reshape", ["x", "bare"], ["x_bare"]),
        node("MatMul", ["x_bare", "upto"], ["summed"]),  # (1, C, 2)
        node("Transpose", ["summed"], ["rows"], perm=[0, 2, 1]),
        node("MatMul", ["rows", "weight"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "scores",
        [value("x", TensorProto.FLOAT, [1, 1, N_CHANNELS, N_SAMPLES])],
        [value("y", TensorProto.FLOAT, [1, 2, n_columns])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="someone", ir_version=8
    )
    path.write_bytes(model.SerializeToString())
    return path
