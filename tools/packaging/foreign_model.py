"""Other people's ONNX models: opened as they are, run, wrapped, and proven to be the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from models.onnx_backend import REFUSALS
from models.onnx_layout import LEAST, SINGLE, Foreign, Kind
from models.onnx_scan import check_onnx
from pipeline.errors import BundleError, UsageError
from pipeline.plain_text import shown
from tools.packaging.foreign_weights import fetch_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.model import Model
    from models.tolerances import Precision

Array = Any
PARITY = {"float16": 5e-2}  # two graphs of 16 bit round at other places
OTHER_PARITY = 1e-4
"""Largest difference of a log, as a share of it where it is above 1, from the model as it came."""

OLDEST_OPSET = 8
"""Before it no operator spreads a number over an array, which our nodes around it need."""

UNLIKELY = -20.0
"""Logs below this are compared as this: a probability of 1e-9 is noise of float32."""

NUMPY_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": float}


@dataclass(frozen=True, slots=True)
class Opened:
    """A model read and scanned; ``inputs`` and ``outputs`` without its states, by name."""

    proto: Any
    digests: Mapping[str, str]
    """Of the file, and of those beside it that hold its weights."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int | str, ...]]


def open_foreign(path: Path, *, states: Sequence[tuple[str, str]]) -> Opened:
    """Read a model and say what goes in and comes out.

    Raises:
        BundleError: it cannot be read, holds what a bundle may not, or needs newer operators.
        UsageError: a state that it does not have.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        proto = onnx.load_from_string(data)
    except DecodeError as error:
        raise BundleError(f"{path}: not an ONNX file ({error})") from None
    weights = fetch_weights(proto, path.parent, where=str(path))
    check_onnx(proto.SerializeToString() if weights else data, where=str(path))
    newest = onnx.defs.onnx_opset_version()
    opsets = [o.version for o in proto.opset_import if o.domain in {"", "ai.onnx"}]
    if not opsets or not OLDEST_OPSET <= opsets[0] <= newest:
        got = f"operators of opset {opsets[0]}" if opsets else "no opset"
        raise BundleError(f"{path}: has {got}, wanted one from {OLDEST_OPSET} to {newest}")
    held = {tensor.name for tensor in proto.graph.initializer}
    known = {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param
            for dim in value.type.tensor_type.shape.dim
        )
        for value in (*proto.graph.input, *proto.graph.output)
        if value.name not in held
    }
    inputs = [value.name for value in proto.graph.input if value.name not in held]
    outputs = [value.name for value in proto.graph.output]
    for name in (*inputs, *outputs):
        if not (isinstance(name, str) and name and name.isprintable()):  # bytes: not UTF-8
            raise BundleError(f"{path}: {name!r} names an input or output, wanted printable text")
    for name, following in states:
        if name not in inputs or following not in outputs:
            raise UsageError(
                f"--state {name}={following}: wanted one of the inputs {', '.join(inputs)}"
                f" and one of the outputs {', '.join(outputs)}"
            )
    return Opened(
        proto=proto,
        digests={shown(path.name, is_name=True): hashlib.sha256(data).hexdigest(), **weights},
        inputs=tuple(name for name in inputs if name not in {pair[0] for pair in states}),
        outputs=tuple(name for name in outputs if name not in {pair[1] for pair in states}),
        shapes=known,
    )


def the_one(given: str | None, names: Sequence[str], *, what: str) -> str:
    """Return the input or output that is meant.

    Raises:
        UsageError: it is not there, or none is named and there are several.
        BundleError: the model has none at all but states.
    """
    if not names:
        raise BundleError(f"the model has no {what} but states, wanted one")
    if given is not None and given in names:
        return given
    if given is None and len(names) == 1:
        return names[0]
    got = "none" if given is None else repr(given)
    raise UsageError(
        f"--{what}: got {got}, wanted one of {', '.join(names)}"
        " (states are named by --state IN=OUT)"
    )


class RawModel:
    """The model as it came, called in its own layout; what it gives is put into ours by numpy."""

    def __init__(
        self, data: bytes, foreign: Foreign, *, where: str, takes_doubles: bool = False
    ) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._foreign, self._where = foreign, where
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except REFUSALS as error:
            said = str(error).strip().splitlines()[0][:300]
            if takes_doubles:
                said += "; it takes float64, wanted an export in float32, as after model.float()"
            raise BundleError(f"{where}: ONNX Runtime refuses it ({said})") from None
        self._types: dict[str, Any] = {}
        self._sizes: dict[str, tuple[int, ...]] = {}
        for node in self._session.get_inputs():
            if node.type not in NUMPY_TYPES:
                raise BundleError(
                    f"{where}: input {node.name} is of {node.type}, wanted floating point numbers"
                )
            self._types[node.name] = NUMPY_TYPES[node.type]
            self._sizes[node.name] = tuple(node.shape)
        self._names = [node.name for node in self._session.get_outputs()]
        self._state: dict[str, Array] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.newest: Array = None
        self.reset()

    def reset(self) -> None:
        """Zero the states."""
        self._state = {
            name: np.zeros(self._sizes[name], self._types[name]) for name, _ in self._foreign.states
        }

    def run(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logs (n_rows, n_columns) for a window (n_samples, n_inputs)."""
        foreign = self._foreign
        into = self._as_its_own(window).astype(self._types[foreign.input])
        try:
            given = self._session.run(None, {foreign.input: into, **self._state})
        except REFUSALS as error:
            said = str(error).strip().splitlines()[0][:300]
            raise BundleError(f"{self._where}: cannot be run ({said})") from None
        found = dict(zip(self._names, given, strict=True))
        self.shapes = {name: tuple(value.shape) for name, value in found.items()}
        self._state = {name: found[following] for name, following in foreign.states}
        self.newest = self._rows(found[foreign.output])
        if not np.isfinite(self.newest).all():
            raise BundleError(f"{self._where}: gives numbers that are not finite")
        logs: NDArray[np.float32] = _logs(self.newest, foreign).astype(np.float32)
        return logs

    def check_repeats(self, window: NDArray[np.float32]) -> None:
        """Refuse a model that gives something else each time it is given the same.

        Raises:
            BundleError: it does.
        """
        self.reset()
        first = self.run(window)
        self.reset()
        again = self.run(window)
        self.reset()
        if not np.array_equal(first, again):
            raise BundleError(
                f"{self._where}: gives something else each time for the same window, wanted an"
                " export without dropout or noise, as after model.eval()"
            )

    def _as_its_own(self, window: Array) -> Array:
        sizes, axes = self._foreign.sizes, self._foreign.input_axes
        x = window.reshape(sizes["time"], sizes["bands"], sizes["channels"])[np.newaxis]
        names = ["batch", "time", "bands", "channels"]
        if "bands" not in axes:
            x, names = x[:, :, 0], ["batch", "time", "channels"]
        order = [names.index(axis) for axis in axes if axis != SINGLE]
        return x.transpose(order).reshape(self._foreign.input_shape)

    def _rows(self, raw: Array) -> Array:
        """Return what came out as float64 (n_rows, n_columns), in the model's own scale."""
        axes = self._foreign.output_axes
        if raw.ndim != len(axes):
            raise BundleError(
                f"{self._where}: output {self._foreign.output} is of shape {raw.shape},"
                f" wanted {', '.join(axes)}"
            )
        sizes = dict(zip(axes, raw.shape, strict=True))
        off = [axis for axis in ("batch", SINGLE) if sizes.get(axis, 1) != 1]
        if off:
            raise BundleError(
                f"{self._where}: output {self._foreign.output} is of shape {raw.shape},"
                f" wanted 1 for {off[0]} of {', '.join(axes)}"
            )
        names = [axis for axis in axes if axis in {"time", "symbols"}]
        x = raw.astype(np.float64).reshape([sizes[name] for name in names])
        return x if names == ["time", "symbols"] else x.reshape(sizes["symbols"], -1).T

    def check_kind(self, windows: NDArray[np.float32]) -> None:
        """Refuse an output that is not what it was said to be over all of these windows.

        One row of two logits adds up to 1 by chance now and then; all rows do not.

        Raises:
            BundleError: says what it rather is.
        """
        if self._foreign.kind == "memory":
            return
        rows = []
        self.reset()
        for window in windows:
            self.run(window)
            rows.append(self.newest)
        self.reset()
        check_logs(np.concatenate(rows), self._foreign.kind, where=self._where)


def check_logs(rows: Array, kind: Kind, *, where: str) -> None:
    """Refuse outputs (n_rows, n_columns) that are not of the kind they were said to be.

    Raises:
        BundleError: says what they rather are.
    """
    is_one = rows.shape[1] == 1
    sums = {
        "probabilities": rows.min() >= 0 and (is_one or _near(rows.sum(axis=1), 1.0)),
        "log-probabilities": rows.max() <= 1e-3
        and (is_one or _near(np.exp(rows).sum(axis=1), 1.0)),
    }
    if kind != "logits" and not sums[kind]:
        raise BundleError(
            f"{where}: gives values from {rows.min():.3g} to {rows.max():.3g},"
            f" which are no {kind}; wanted another --output-kind"
        )
    rather = [name for name, fits in sums.items() if fits]
    if kind == "logits" and rather and not is_one:
        raise BundleError(
            f"{where}: gives {rather[0]}, wanted --output-kind {rather[0]}, not logits"
        )


def parity(
    raw: RawModel,
    wrapped: Model,
    windows: NDArray[np.float32],
    *,
    precision: Precision,
    is_memory: bool,
    where: str,
) -> float:
    """Return the largest difference of a log between both models over successive windows.

    Raises:
        BundleError: it is above what the precision allows.
    """
    raw.reset()
    wrapped.reset()
    worst = 0.0
    for window in windows:
        wanted, got = raw.run(window), wrapped.run(window)
        if not is_memory:
            got, wanted = np.maximum(got, UNLIKELY), np.maximum(wanted, UNLIKELY)
        difference = np.abs(got - wanted) / np.maximum(1.0, np.abs(wanted))
        worst = max(worst, float(difference.max()))
    wrapped.reset()
    tolerance = PARITY.get(precision, OTHER_PARITY)
    if not worst <= tolerance:
        raise BundleError(
            f"{where}: the wrapped model differs by {worst:.3g} from the one given,"
            f" wanted at most {tolerance:g}"
        )
    return worst


def _near(values: Array, wanted: float) -> bool:
    return bool(np.abs(values - wanted).max() < 1e-2)


def _logs(rows: Array, foreign: Foreign) -> Array:
    """Return natural logs in our order, in float64."""
    if foreign.kind == "memory":
        return rows
    if foreign.has_odds and rows.shape[1] == 1:
        if foreign.kind == "logits":
            return rows
        p = np.exp(rows) if foreign.kind == "log-probabilities" else rows
        return np.log(np.maximum(p, LEAST)) - np.log(np.maximum(1 - p, LEAST))
    if foreign.kind == "probabilities":
        rows = np.log(np.maximum(rows, LEAST))
    elif foreign.kind == "logits" and not foreign.has_odds:
        top = rows.max(axis=1, keepdims=True)
        rows = rows - top - np.log(np.exp(rows - top).sum(axis=1, keepdims=True))
    if foreign.has_odds:
        return rows[:, 1:2] - rows[:, 0:1]
    return rows if foreign.columns is None else rows[:, foreign.columns]
