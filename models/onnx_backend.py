"""ONNX Runtime behind the model port: buffers bound once, state carried from call to call.

Invariant: after construction a call allocates nothing of its own. State tensors live in two sets
of buffers; each call reads one set and writes the other, so two bindings alternate.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.manifest import Tensor
from models.providers import ProviderChoice, choose_providers
from pipeline.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.manifest import ModelFile
    from pipeline.values import Samples

REFUSALS = (  # ONNX Runtime's exceptions share no base class of their own
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,
    ValueError,
)
_ONNX_TYPES = {
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "int64": "tensor(int64)",
}
_TYPES = {"float32": np.float32, "float16": np.float16, "int64": np.int64}


def open_session(
    bundle: Bundle, *, providers: ProviderChoice = "cpu", n_threads: int = 1
) -> ort.InferenceSession:
    """Open a session on the very bytes that were verified.

    Raises:
        BundleError: ONNX Runtime refuses the model, or its inputs and outputs are not the
            manifest's.
    """
    model = bundle.manifest.model
    states = [Tensor(name=pair.input, shape=pair.shape) for pair in model.state]
    following = [Tensor(name=pair.output, shape=pair.shape) for pair in model.state]
    return open_file(
        bundle,
        model.path,
        inputs=[model.input, *states],
        outputs=[model.output, *following],
        providers=providers,
        n_threads=n_threads,
    )


def open_file(
    bundle: Bundle,
    path: str,
    *,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    providers: ProviderChoice = "cpu",
    n_threads: int = 1,
) -> ort.InferenceSession:
    """Open a session on one of the bundle's verified files.

    Raises:
        BundleError: ONNX Runtime refuses it, or it takes or gives other tensors than these.
    """
    options = session_options(n_threads=n_threads)
    names: Sequence[str] = choose_providers(providers)
    try:
        session = ort.InferenceSession(bundle.files[path], options, providers=list(names))
    except REFUSALS as error:
        raise BundleError(f"{path}: ONNX Runtime refuses it ({_first_line(error)})") from None
    _check_signature(session, path, inputs, outputs)
    return session


def session_options(*, n_threads: int = 1) -> ort.SessionOptions:
    """Return how the daemon runs a model."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # errors are raised; its log would print a file's own names
    # A spinning pool burns the core that the reader and the loop need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class OnnxModel:
    """One stream's own state over a session that streams may share."""

    def __init__(self, session: ort.InferenceSession, model: ModelFile) -> None:
        self._session, self._path = session, model.path
        self._input = np.zeros(model.input.shape, dtype=_TYPES[model.input.dtype])
        self._output = np.zeros(model.output.shape, dtype=_TYPES[model.output.dtype])
        self._states = [
            [np.zeros(p.shape, dtype=np.float32) for p in model.state] for _ in range(2)
        ]
        self._bindings = (
            [self._bind(model, turn) for turn in range(2)]
            if model.state
            else [self._bind(model, 0)]
        )
        self._turn = 0

    def _bind(self, model: ModelFile, turn: int) -> ort.IOBinding:
        binding = self._session.io_binding()
        tensors = [(model.input.name, self._input)]
        tensors += [(p.input, s) for p, s in zip(model.state, self._states[turn], strict=True)]
        for name, array in tensors:
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        tensors = [(model.output.name, self._output)]
        tensors += [(p.output, s) for p, s in zip(model.state, self._states[1 - turn], strict=True)]
        for name, array in tensors:
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        return binding

    def run(self, window: Samples) -> NDArray[np.float32]:
        """Return the output for one window; see :class:`models.model.Model`."""
        self._input[0] = window
        run_bound(self._session, self._bindings[self._turn], self._path)
        self._turn = (self._turn + 1) % len(self._bindings)
        output: NDArray[np.float32] = self._output[0].astype(np.float32, copy=False)
        if self._states[0] and np.isnan(output).any():
            self._begin_anew()
        return output

    def _begin_anew(self) -> None:
        """Forget a state that is no number any more: what follows would be none for ever."""
        if not all(np.isfinite(state).all() for state in self._states[self._turn]):
            self.reset()

    def reset(self) -> None:
        """Zero the state."""
        self._turn = 0
        for state in self._states[0]:
            state.fill(0)

    def warm_up(self, n_calls: int = 10) -> float:
        """Run on zeros until the first calls' costs are paid, then forget it.

        Returns the seconds of the fastest call.
        """
        zeros = np.zeros(self._input.shape[1:], dtype=np.float32)
        fastest_s = math.inf
        for _ in range(n_calls):
            began_s = time.perf_counter()
            self.run(zeros)
            fastest_s = min(fastest_s, time.perf_counter() - began_s)
        self.reset()
        return fastest_s


def run_bound(session: ort.InferenceSession, binding: ort.IOBinding, path: str) -> None:
    """Run a file on bound tensors.

    Raises:
        BundleError: an operator of it refuses these numbers, or wants more memory than there is.
    """
    try:
        session.run_with_iobinding(binding)
    except REFUSALS as error:
        raise BundleError(f"{path}: cannot be run ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _check_signature(
    session: ort.InferenceSession, path: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> None:
    for kind, tensors, nodes in (
        ("inputs", inputs, session.get_inputs()),
        ("outputs", outputs, session.get_outputs()),
    ):
        wanted = {t.name: (_ONNX_TYPES[t.dtype], t.shape) for t in tensors}
        got = {node.name: (node.type, tuple(node.shape)) for node in nodes}
        if got != wanted:
            raise BundleError(f"{path}: {kind} are {got}, the manifest says {wanted}")
