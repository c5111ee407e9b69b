"""The step decoder of somebody else's sequence-to-sequence model, made one of ours.

It takes ``tokens`` (n_rows,) and ``position`` (1,), whole numbers, ``memory`` as the encoder gives
it, and its caches; it gives ``log_probs`` (n_rows, n_symbols), of the kind that was said, and
``attention`` (n_rows, n_frames). See :class:`models.manifest.StepFile`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from models.manifest import StatePair, StepFile, Tensor
from models.onnx_backend import REFUSALS
from models.onnx_layout import LEAST, Kind, fix_shapes
from models.onnx_seq2seq import MEMORY, POSITION, TOKENS
from pipeline.errors import BundleError
from tools.packaging.foreign_model import check_logs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.packaging.foreign_model import Opened

LOG_PROBS, ATTENTION = "log_probs", "attention"
N_ROWS = 8
"""Hypotheses at once, where the model takes any number."""


def make_step(
    opened: Opened,
    *,
    caches: Sequence[tuple[str, str]],
    memory: tuple[int, ...],
    n_symbols: int,
    max_symbols: int,
    kind: Kind,
    where: str,
) -> tuple[bytes, StepFile]:
    """Return ``step.onnx`` and how it is called; ``opened`` is changed.

    Raises:
        BundleError: it takes or gives something else, or cannot be run.
    """
    for what, got, wanted in (
        ("inputs", opened.inputs, (TOKENS, POSITION, MEMORY)),
        ("outputs", opened.outputs, (LOG_PROBS, ATTENTION)),
    ):
        if set(got) != set(wanted):
            raise BundleError(
                f"{where}: {what} beside the caches are {', '.join(got)},"
                f" wanted {', '.join(wanted)} (caches are named by --cache IN=OUT)"
            )
    rows = opened.shapes[TOKENS][0] if opened.shapes[TOKENS] else N_ROWS
    n_rows = rows if isinstance(rows, int) and rows else N_ROWS
    shapes: dict[str, tuple[int, ...]] = {TOKENS: (n_rows,), POSITION: (1,), MEMORY: memory}
    for name, _ in caches:
        shapes[name] = tuple(
            n_rows if size == rows else _fixed(size, name, where) for size in opened.shapes[name]
        )
    proto = opened.proto
    fix_shapes(proto, shapes)
    given = _run(proto.SerializeToString(), shapes, where)
    frames = memory[1]
    wanted_shapes = {
        LOG_PROBS: (n_rows, n_symbols),
        ATTENTION: (n_rows, frames),
        **{following: shapes[name] for name, following in caches},
    }
    for name, shape in wanted_shapes.items():
        if given[name].shape != shape:
            raise BundleError(f"{where}: {name} is of shape {given[name].shape}, wanted {shape}")
    check_logs(given[LOG_PROBS].astype(np.float64), kind, where=where)
    if np.abs(given[ATTENTION].sum(axis=1) - 1.0).max() > 1e-2:
        raise BundleError(f"{where}: rows of {ATTENTION} do not sum to 1")
    _to_logs(proto, kind, wanted_shapes)
    data: bytes = proto.SerializeToString()
    after = _run(data, shapes, where)[LOG_PROBS]
    difference = float(np.abs(np.exp(after) - _probabilities(given[LOG_PROBS], kind)).max())
    if not difference <= 1e-4:
        raise BundleError(
            f"{where}: the wrapped step differs by {difference:.3g} from the one given"
        )
    return data, StepFile(
        n_rows=n_rows,
        max_symbols=max_symbols,
        output=Tensor(name=LOG_PROBS, shape=(n_rows, n_symbols)),
        attention=Tensor(name=ATTENTION, shape=(n_rows, frames)),
        cache=tuple(
            StatePair(input=name, output=following, shape=shapes[name])
            for name, following in caches
        ),
    )


def _fixed(size: int | str, name: str, where: str) -> int:
    if not isinstance(size, int) or size < 1:
        raise BundleError(f"{where}: cache {name} has a free axis {size!r}, wanted a fixed size")
    return size


def _run(data: bytes, shapes: Mapping[str, tuple[int, ...]], where: str) -> dict[str, Any]:
    """Return what the first step gives on a random memory."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    rng = np.random.default_rng(0)
    inputs: dict[str, Any] = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    inputs[TOKENS] = np.zeros(shapes[TOKENS], np.int64)
    inputs[POSITION] = np.zeros(shapes[POSITION], np.int64)
    inputs[MEMORY] = rng.standard_normal(shapes[MEMORY]).astype(np.float32)
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        found = session.run(None, inputs)
    except REFUSALS as error:
        said = str(error).strip().splitlines()[0][:300]
        raise BundleError(f"{where}: cannot be run ({said})") from None
    return dict(zip([node.name for node in session.get_outputs()], found, strict=True))


def _probabilities(rows: Any, kind: Kind) -> Any:
    x = rows.astype(np.float64)
    if kind == "probabilities":
        return x
    e = np.exp(x - x.max(axis=1, keepdims=True)) if kind == "logits" else np.exp(x)
    return e / e.sum(axis=1, keepdims=True) if kind == "logits" else e


def _to_logs(proto: Any, kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Let ``log_probs`` be logs, and give every output its shape."""
    from onnx import TensorProto, helper, numpy_helper

    graph = proto.graph
    if kind != "log-probabilities":
        raw = "eegscribe_raw"
        for node in graph.node:
            for names in (node.input, node.output):
                kept = [raw if name == LOG_PROBS else name for name in names]
                del names[:]
                names.extend(kept)
    if kind == "logits":
        graph.node.append(helper.make_node("LogSoftmax", ["eegscribe_raw"], [LOG_PROBS], axis=1))
    elif kind == "probabilities":
        least = numpy_helper.from_array(np.array(LEAST, np.float32), "eegscribe_least")
        graph.initializer.append(least)
        graph.node.append(
            helper.make_node("Max", ["eegscribe_raw", "eegscribe_least"], ["eegscribe_above"])
        )
        graph.node.append(helper.make_node("Log", ["eegscribe_above"], [LOG_PROBS]))
    outputs = [
        helper.make_tensor_value_info(value.name, TensorProto.FLOAT, shapes[value.name])
        for value in graph.output
    ]
    del graph.output[:]
    graph.output.extend(outputs)
