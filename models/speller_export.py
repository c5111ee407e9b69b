"""A fitted speller as an ONNX graph of standard operators: the numbers of ``SpellerFit.scores``.

The graph reads top to bottom as the theory does: centre, mean over a stride, difference, whiten,
clip, take the common response away, correlate with each symbol's response step by step, sum up to
each checkpoint. A row sums no step beyond its checkpoint, so later samples may be zero.

Weights are stored as float32 and computed with as float64: log-likelihoods are small differences
of large sums, and the same number has to come out on every provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.speller import LEAST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.speller import SpellerFit

INPUT = "samples"
OUTPUT = "scores"
OPSET = 18
IR_VERSION = 9
"""What every ONNX Runtime since 1.15 reads."""


def export_speller(fit: SpellerFit) -> bytes:
    """Return the bytes of ``model.onnx``, within 1e-4 of :meth:`SpellerFit.scores`.

    ``samples`` float32 ``(1, n_samples, n_inputs)`` go in, ``scores`` float32
    ``(1, n_checkpoints, n_symbols)`` come out.
    """
    from onnx import TensorProto, checker, helper

    weights, indices = _weights(fit), _indices(fit)
    shape = (1, fit.checkpoints_samples[-1], fit.whitening.kernel.shape[1])
    result = (1, len(fit.checkpoints_samples), len(fit.templates))
    graph = helper.make_graph(
        _nodes(tuple(weights)),
        "speller",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, result)],
        [_tensor(f"{name}_32", value, np.float32) for name, value in weights.items()]
        + [_tensor(name, value, np.int64) for name, value in indices.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="eegscribe"
    )
    checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def _weights(fit: SpellerFit) -> dict[str, NDArray[Any]]:
    """Return what is computed with, by name."""
    kernel, templates = fit.whitening.kernel, fit.templates
    n_outputs, n_inputs, n_taps = kernel.shape
    reach = np.arange(templates.shape[1]) < np.array(fit.checkpoints_steps)[:, np.newaxis]
    return {
        "mixing": kernel.transpose(2, 1, 0).reshape(n_taps * n_inputs, n_outputs),
        "low": np.array(-fit.whitening.limit),
        "high": np.array(fit.whitening.limit),
        "common": fit.common,  # (n_steps, n_outputs)
        "templates": templates.transpose(1, 2, 0),  # (n_steps, n_outputs, n_symbols)
        "half_energy": 0.5 * np.square(templates).sum(axis=2).T[:, np.newaxis],
        "reach": reach / fit.temperature[:, np.newaxis],  # (n_checkpoints, n_steps)
        "least": np.array(LEAST),
    }


def _indices(fit: SpellerFit) -> dict[str, NDArray[Any]]:
    """Return axes, ends and shapes, by name."""
    n_symbols, n_steps, n_outputs = fit.templates.shape
    _, n_inputs, n_taps = fit.whitening.kernel.shape
    stride = fit.whitening.stride
    n_blocks = fit.checkpoints_samples[-1] // stride
    return {
        "from_0": np.array([0]),
        "from_1": np.array([1]),
        "last": np.array([-1]),
        "all": np.array([np.iinfo(np.int64).max]),
        "whole": np.array([n_blocks * stride]),
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
        "blocks": np.array([1, n_blocks, stride, n_inputs]),
        "taps": np.arange(n_steps)[:, np.newaxis] + np.arange(n_taps),
        "rows": np.array([n_steps, n_taps * n_inputs]),
        "steps": np.array([n_steps, 1, n_outputs]),
        "table": np.array([1, n_steps, n_symbols]),
    }


def _nodes(weights: tuple[str, ...]) -> list[Any]:
    """Return the graph's nodes in order; ``weights`` are those stored as float32."""
    from onnx import TensorProto, helper

    node = helper.make_node
    return [
        *(node("Cast", [f"{name}_32"], [name], to=TensorProto.DOUBLE) for name in weights),
        node("Cast", [INPUT], ["double"], to=TensorProto.DOUBLE),
        node("Slice", ["double", "from_0", "from_1", "axis_1"], ["first"]),
        node("Sub", ["double", "first"], ["centred"]),
        node("Slice", ["centred", "from_0", "whole", "axis_1"], ["used"]),
        node("Reshape", ["used", "blocks"], ["blocked"]),
        node("ReduceMean", ["blocked", "axis_2"], ["means"], keepdims=0),  # (1, n_blocks, n_inputs)
        node("Slice", ["means", "from_1", "all", "axis_1"], ["newer"]),
        node("Slice", ["means", "from_0", "last", "axis_1"], ["older"]),
        node("Sub", ["newer", "older"], ["difference"]),
        node(
            "Gather", ["difference", "taps"], ["lagged"], axis=1
        ),  # (1, n_steps, n_taps, n_inputs)
        node("Reshape", ["lagged", "rows"], ["past"]),
        node("MatMul", ["past", "mixing"], ["innovation"]),
        node("Clip", ["innovation", "low", "high"], ["white"]),
        node("Sub", ["white", "common"], ["own"]),  # (n_steps, n_outputs)
        node("Reshape", ["own", "steps"], ["moments"]),
        node("MatMul", ["moments", "templates"], ["match"]),  # (n_steps, 1, n_symbols)
        node("Sub", ["match", "half_energy"], ["gain"]),
        node("Reshape", ["gain", "table"], ["gains"]),
        node("MatMul", ["reach", "gains"], ["evidence"]),  # (1, n_checkpoints, n_symbols)
        node("ReduceMax", ["evidence", "axis_2"], ["best"], keepdims=1),
        node("Sub", ["evidence", "best"], ["behind"]),
        node("Max", ["behind", "least"], ["believed"]),
        node("LogSoftmax", ["believed"], ["posterior"], axis=-1),
        node("Cast", ["posterior"], [OUTPUT], to=TensorProto.FLOAT),
    ]


def _tensor(name: str, value: NDArray[Any], dtype: type[np.generic]) -> Any:
    """Return an initializer."""
    from onnx import numpy_helper

    return numpy_helper.from_array(value.astype(dtype), name)
