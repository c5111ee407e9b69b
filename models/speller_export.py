"""A fitted speller as an ONNX graph of standard operators: the numbers of ``SpellerFit.scores``.

The graph reads top to bottom as the theory does: centre, mean over a stride, difference, whiten,
clip, take the common response away, correlate with each symbol's response step by step, sum up to
each checkpoint. A row sums no step beyond its checkpoint, so later samples may be zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.speller import LEAST

if TYPE_CHECKING:
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

    n_symbols, n_steps, _ = fit.templates.shape
    shape = (1, fit.checkpoints_samples[-1], fit.whitening.kernel.shape[1])
    nodes, constants = _strided_mean(fit, n_samples=shape[1], n_inputs=shape[2])
    reach = np.arange(n_steps) < np.array(fit.checkpoints_steps)[:, np.newaxis]
    constants |= {
        "kernel": fit.whitening.kernel,
        "low": np.array(-fit.whitening.limit),
        "high": np.array(fit.whitening.limit),
        "common": fit.common.T[np.newaxis],  # (1, n_outputs, n_steps)
        "templates": fit.templates.transpose(1, 2, 0),  # (n_steps, n_outputs, n_symbols)
        "half_energy": 0.5 * np.square(fit.templates).sum(axis=2).T[:, np.newaxis],
        "least": np.array(LEAST),
        "reach": reach / fit.temperature[:, np.newaxis],  # (n_checkpoints, n_steps)
        "from_0": np.array([0]), "from_1": np.array([1]), "axis_2": np.array([2]),
        "last": np.array([-1]), "all": np.array([np.iinfo(np.int64).max]),
        "flat": np.array([1, n_steps, n_symbols]),
    }  # fmt: skip
    nodes += [
        helper.make_node(
            "Transpose", ["steps"], ["rows"], perm=[0, 2, 1]
        ),  # (1, n_inputs, n_steps)
        helper.make_node("Slice", ["rows", "from_1", "all", "axis_2"], ["newer"]),
        helper.make_node("Slice", ["rows", "from_0", "last", "axis_2"], ["older"]),
        helper.make_node("Sub", ["newer", "older"], ["difference"]),
        helper.make_node("Conv", ["difference", "kernel"], ["innovation"]),
        helper.make_node(
            "Clip", ["innovation", "low", "high"], ["white"]
        ),  # (1, n_outputs, n_steps)
        helper.make_node("Sub", ["white", "common"], ["own"]),
        helper.make_node(
            "Transpose", ["own"], ["moments"], perm=[2, 0, 1]
        ),  # (n_steps, 1, n_outputs)
        helper.make_node("MatMul", ["moments", "templates"], ["match"]),  # (n_steps, 1, n_symbols)
        helper.make_node("Sub", ["match", "half_energy"], ["gain"]),
        helper.make_node("Reshape", ["gain", "flat"], ["gains"]),  # (1, n_steps, n_symbols)
        helper.make_node(
            "MatMul", ["reach", "gains"], ["evidence"]
        ),  # (1, n_checkpoints, n_symbols)
        helper.make_node("ReduceMax", ["evidence", "axis_2"], ["best"], keepdims=1),
        helper.make_node("Sub", ["evidence", "best"], ["behind"]),
        helper.make_node("Max", ["behind", "least"], ["believed"]),
        helper.make_node("LogSoftmax", ["believed"], [OUTPUT], axis=-1),
    ]
    result = (1, len(fit.checkpoints_samples), n_symbols)
    graph = helper.make_graph(
        nodes,
        "speller",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, result)],
        [_tensor(name, value) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="eegscribe"
    )
    checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def _strided_mean(
    fit: SpellerFit, *, n_samples: int, n_inputs: int
) -> tuple[list[Any], dict[str, Any]]:
    """Return nodes from ``samples`` to ``steps`` ``(1, n_steps, n_inputs)``, and their constants.

    The first sample is taken away first: an electrode's offset would cost float32 its digits.
    """
    from onnx import helper

    stride = fit.whitening.stride
    n_steps = n_samples // stride
    nodes = [
        helper.make_node("Slice", [INPUT, "from_0", "from_1", "axis_1"], ["first"]),
        helper.make_node("Sub", [INPUT, "first"], ["centred"]),
        helper.make_node("Slice", ["centred", "from_0", "whole", "axis_1"], ["used"]),
        helper.make_node("Reshape", ["used", "blocks"], ["blocked"]),
        helper.make_node("ReduceMean", ["blocked", "axis_2"], ["steps"], keepdims=0),
    ]
    constants = {
        "whole": np.array([n_steps * stride]),
        "axis_1": np.array([1]),
        "blocks": np.array([1, n_steps, stride, n_inputs]),
    }
    return nodes, constants


def _tensor(name: str, value: Any) -> Any:
    """Return an initializer: float32 for what is computed with, int64 for axes and sizes."""
    from onnx import numpy_helper

    dtype = np.int64 if np.issubdtype(value.dtype, np.integer) else np.float32
    return numpy_helper.from_array(
        np.ascontiguousarray(value, dtype=dtype).reshape(value.shape), name
    )
