"""Small networks as ONNX, of any number of rows and frames a call: convolution, GRUs, a head."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

N_INPUTS, N_HIDDEN, N_SYMBOLS, PATCH = 4, 32, 35, 5


def network(
    *,
    n_frames: int,
    n_rows: int = 1,
    n_layers: int = 2,
    direction: str = "forward",
    pads: tuple[int, int] = (0, 0),
    seed: int = 0,
) -> bytes:
    """Samples (B, T, C) and state (L, B, H) to scores (B, F, V) and the next state."""
    rng = np.random.default_rng(seed)
    two = 2 if direction == "bidirectional" else 1
    constants: dict[str, NDArray[Any]] = {
        "front.weight": rng.normal(0, 0.2, (64, N_INPUTS, PATCH)),
        "front.bias": rng.normal(0, 0.2, 64),
        "head.weight": rng.normal(0, 0.3, (two * N_HIDDEN, N_SYMBOLS)),
        "head.bias": rng.normal(0, 0.3, N_SYMBOLS),
    }
    nodes = [
        helper.make_node("Transpose", ["samples"], ["turned"], perm=[0, 2, 1]),
        helper.make_node(
            "Conv", ["turned", "front.weight", "front.bias"], ["heard"], strides=[PATCH],
            kernel_shape=[PATCH], pads=list(pads),
        ),
        helper.make_node("Relu", ["heard"], ["front"]),
        helper.make_node("Transpose", ["front"], ["x_0"], perm=[2, 0, 1]),
    ]  # fmt: skip
    finals, width = [], 64
    for k in range(n_layers):
        n = 3 * N_HIDDEN
        constants[f"gru.weight_ih_l{k}"] = rng.normal(0, width**-0.5, (two, n, width))
        constants[f"gru.weight_hh_l{k}"] = rng.normal(0, N_HIDDEN**-0.5, (two, n, N_HIDDEN))
        constants[f"gru.bias_l{k}"] = rng.normal(0, 0.2, (two, 2 * n))
        constants[f"from_{k}"] = np.array([k * two])
        constants[f"to_{k}"] = np.array([(k + 1) * two])
        weights = [f"gru.weight_ih_l{k}", f"gru.weight_hh_l{k}", f"gru.bias_l{k}"]
        nodes += [
            helper.make_node("Slice", ["state", f"from_{k}", f"to_{k}"], [f"start_{k}"]),
            helper.make_node(
                "GRU", [f"x_{k}", *weights, "", f"start_{k}"], [f"y_{k}", f"last_{k}"],
                hidden_size=N_HIDDEN, linear_before_reset=1, direction=direction,
            ),
            helper.make_node("Transpose", [f"y_{k}"], [f"t_{k}"], perm=[0, 2, 1, 3]),
            helper.make_node("Reshape", [f"t_{k}", "flat"], [f"x_{k + 1}"]),
        ]  # fmt: skip
        finals.append(f"last_{k}")
        width = two * N_HIDDEN
    constants["flat"] = np.array([n_frames, n_rows, width])
    nodes += [
        helper.make_node("Transpose", [f"x_{n_layers}"], ["frames"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["frames", "head.weight"], ["product"]),
        helper.make_node("Add", ["product", "head.bias"], ["scores"]),
        helper.make_node("Concat", finals, ["state_next"], axis=0),
    ]

    def value(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    state = (n_layers * two, n_rows, N_HIDDEN)
    n_samples = n_frames * PATCH - sum(pads)
    graph = helper.make_graph(
        nodes,
        "network",
        [value("samples", n_rows, n_samples, N_INPUTS), value("state", *state)],
        [value("scores", n_rows, n_frames, N_SYMBOLS), value("state_next", *state)],
        [
            numpy_helper.from_array(a if a.dtype.kind == "i" else a.astype(np.float32), name)
            for name, a in constants.items()
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    data: bytes = made.SerializeToString()
    return data


def run(data: bytes, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scores (B, F, V) of ``samples`` (B, whole calls, C), the state carried."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    size = session.get_inputs()[0].shape[1]
    state = np.zeros(session.get_inputs()[1].shape, np.float32)
    found = []
    for start in range(0, samples.shape[1], size):
        given = {"samples": samples[:, start : start + size], "state": state}
        scores, state = session.run(None, given)
        found.append(scores)
    return np.concatenate(found, axis=1)


def noise(*, n_rows: int, n_frames: int, seed: int = 1) -> NDArray[np.float32]:
    """Return samples (B, T, C) of unit variance."""
    shape = (n_rows, n_frames * PATCH, N_INPUTS)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
