"""A network's files run as the daemon runs them, watched: what layers are given, what comes out.

Recurrent networks carry their state from call to call; a step decoder writes greedily, each row
from another first symbol, and whatever is compared with it is given the very same symbols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from models.quantization.graph import Graph
from models.quantization.layers import layers_of
from models.quantization.product import N_STEPS, Range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from models.manifest import ModelFile, StepFile

Files = dict[str, bytes]
"""The files that run, by their paths in the bundle."""

N_KEPT = 200_000
"""Values that a layer is given, of which the range is chosen."""

N_PER_CALL = 2_000
MOST_STEPS = 16


class Probe:
    """Hears sessions, each calls of windows (n, T, C) in order from a fresh state.

    Args:
        model: how the model's file is called.
        step: how its step decoder is, None where there is none.
        sessions: as the network hears them: filtered.
    """

    def __init__(
        self, model: ModelFile, step: StepFile | None, sessions: Sequence[NDArray[np.float32]]
    ) -> None:
        self._model, self._step, self._sessions = model, step, sessions
        self._tokens: list[NDArray[np.int64]] = []
        self._heard: tuple[bytes, list[NDArray[np.float32]]] = b"", []

    def log_probs(self, files: Files) -> NDArray[np.float32]:
        """Return the log-probabilities (n, n_symbols) of all frames, or of all steps.

        What is asked for first are the original's files: theirs are the symbols for the others.
        """
        data = files[self._model.path]
        if self._heard[0] != data:
            self._heard = data, list(self._outputs(data))
        outputs = self._heard[1]
        if self._step is None:
            return np.concatenate(outputs).reshape(-1, outputs[0].shape[-1])
        found = list(self._steps(self._step, files[self._step.path], outputs))
        return np.concatenate(found).reshape(-1, found[0].shape[-1])

    def ranges(self, files: Files) -> dict[str, Range]:
        """Return what each layer is given, by ``path/name``, where nature does not bound it."""
        found = {}
        for path, data in files.items():
            layers = [layer for layer in layers_of(Graph(data)) if layer.range is None]
            watched = _Watched(data, [layer.x for layer in layers])
            if self._step is not None and path == self._step.path:
                memories = list(self._outputs(files[self._model.path]))
                for _ in self._steps(self._step, data, memories, watched=watched):
                    pass
            else:
                for _ in self._outputs(data, watched=watched):
                    pass
            found.update({f"{path}/{one.name}": watched.range(one.x) for one in layers})
        return found

    def _outputs(
        self, data: bytes, *, watched: _Watched | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Yield what each window gives, (1, F, V) or (1, F, D)."""
        model, runner = self._model, watched or _Watched(data, [])
        for windows in self._sessions:
            state = {pair.input: np.zeros(pair.shape, np.float32) for pair in model.state}
            for window in windows:
                given = {model.input.name: window[np.newaxis].astype(model.input.dtype), **state}
                found = runner.run(given)
                state = {pair.input: found[pair.output] for pair in model.state}
                yield found[model.output.name].astype(np.float32)

    def _steps(
        self,
        step: StepFile,
        data: bytes,
        memories: Sequence[NDArray[np.float32]],
        *,
        watched: _Watched | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the log-probabilities (R, V) of each step over each memory."""
        runner = watched or _Watched(data, [])
        is_first = not self._tokens
        written: list[NDArray[np.int64]] = []
        for number, memory in enumerate(memories):
            cache = {pair.input: np.zeros(pair.shape, np.float32) for pair in step.cache}
            tokens = np.zeros(step.n_rows, np.int64)
            for position in range(min(step.max_symbols, MOST_STEPS)):
                at = {"position": np.array([position]), "memory": memory}
                found = runner.run({"tokens": tokens, **at, **cache})
                cache = {pair.input: found[pair.output] for pair in step.cache}
                scores = found[step.output.name].astype(np.float32)
                yield scores
                if is_first:
                    written.append(_next(scores, position))
                    tokens = written[-1]
                else:
                    n_steps = min(step.max_symbols, MOST_STEPS)
                    tokens = self._tokens[number * n_steps + position]
        if is_first:
            self._tokens = written


def _next(scores: NDArray[np.float32], position: int) -> NDArray[np.int64]:
    """Return the symbol (R,) that each row goes on with: at first the best, the second best …."""
    ranked: NDArray[np.int64] = np.argsort(-scores, axis=1)  # (R, V)
    rows = np.arange(len(scores))
    rank = 0 * rows if position else rows % scores.shape[1]
    found: NDArray[np.int64] = ranked[rows, rank]
    return found


def divergence(original: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the mean nats by which log-probabilities (n, V) part from the original's."""
    exact = original.astype(np.float64)
    return float((np.exp(exact) * (exact - other)).sum(axis=1).mean())


class _Watched:
    """A session that keeps samples of some of the tensors inside."""

    def __init__(self, data: bytes, tensors: Sequence[str]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        if tensors:
            graph = Graph(data)
            inside = [name for name in tensors if name not in (*graph.inputs, *graph.outputs)]
            data = graph.to_bytes(extra_outputs=sorted(set(inside)))
        self._session = onnxruntime.InferenceSession(
            data, options, providers=["CPUExecutionProvider"]
        )
        self._names = [output.name for output in self._session.get_outputs()]
        self._kept: dict[str, list[NDArray[np.float32]]] = {name: [] for name in tensors}
        self._ends = dict.fromkeys(tensors, (0.0, 0.0))
        self._rng = np.random.default_rng(0)

    def run(self, given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return all outputs by name."""
        found = dict(zip(self._names, self._session.run(None, dict(given)), strict=True))
        for name, kept in self._kept.items():
            values = np.asarray(found.get(name, given.get(name)), np.float32).ravel()
            low, high = self._ends[name]
            self._ends[name] = min(low, float(values.min())), max(high, float(values.max()))
            if sum(map(len, kept)) < N_KEPT:
                kept.append(values[self._rng.integers(0, len(values), N_PER_CALL)])
        return found

    def range(self, name: str) -> Range:
        """Return the range by which values are off least, clipping included."""
        low, high = self._ends[name]
        return fit_range(np.concatenate(self._kept[name]), low=low, high=high)


def fit_range(values: NDArray[np.float32], *, low: float, high: float) -> Range:
    """Return of ``low`` to ``high`` the part that rounds ``values`` with the least squared error.

    A few far values would make the steps too wide for all the others.
    """
    found, least = Range(low, high), np.inf
    for share in np.geomspace(1.0, 0.05, 40):
        candidate = Range(low * share, high * share)
        scale, zero = candidate.scale(), candidate.zero()
        number = np.clip(np.rint(values / scale) + zero, 0, N_STEPS)
        off = float(np.mean(((number - zero) * scale - values) ** 2))
        if off < least:
            found, least = candidate, off
    return found
