"""A step decoder behind ONNX Runtime: buffers bound once, caches reordered only where needed.

Invariant: the caches live in two sets of buffers, and what the last step gave is in the set
``_newest``. Where every row goes on with its own hypothesis the next step reads that set and writes
the other; else the rows are first copied, in their new order, into the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.manifest import Tensor
from models.onnx_backend import open_file, run_bound
from pipeline.errors import BundleError

if TYPE_CHECKING:
    import onnxruntime as ort
    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.manifest import ModelFile, StepFile
    from models.providers import ProviderChoice

TOKENS, POSITION, MEMORY = "tokens", "position", "memory"


def open_step_session(
    bundle: Bundle, *, providers: ProviderChoice = "cpu", n_threads: int = 1
) -> ort.InferenceSession:
    """Open a session on the bundle's step decoder.

    Raises:
        BundleError: the bundle has none, ONNX Runtime refuses it, or its inputs and outputs are
            not the manifest's.
    """
    step = bundle.manifest.step
    if step is None:
        raise BundleError(f"{bundle.manifest.name}: has no step decoder, wanted a seq2seq head")
    memory = bundle.manifest.model.output
    return open_file(
        bundle,
        step.path,
        inputs=[
            Tensor(name=TOKENS, shape=(step.n_rows,), dtype="int64"),
            Tensor(name=POSITION, shape=(1,), dtype="int64"),
            Tensor(name=MEMORY, shape=memory.shape, dtype=memory.dtype),
            *(Tensor(name=pair.input, shape=pair.shape) for pair in step.cache),
        ],
        outputs=[
            step.output,
            step.attention,
            *(Tensor(name=pair.output, shape=pair.shape) for pair in step.cache),
        ],
        providers=providers,
        n_threads=n_threads,
    )


class OnnxStepper:
    """One stream's own :class:`pipeline.seq2seq.Stepper` over a session streams may share.

    The exported step holds the memory of one utterance.
    """

    def __init__(self, session: ort.InferenceSession, step: StepFile, model: ModelFile) -> None:
        self._session, self._path = session, step.path
        self.n_rows, self.n_symbols = step.output.shape
        self.max_symbols = step.max_symbols
        self._tokens = np.zeros(self.n_rows, dtype=np.int64)
        self._position = np.zeros(1, dtype=np.int64)
        self._memory = _zeros(model.output)
        self._log_probs = _zeros(step.output)
        self._attention = _zeros(step.attention)
        self._caches = [[np.zeros(p.shape, np.float32) for p in step.cache] for _ in range(2)]
        self._bindings = [self._bind(step, read) for read in range(2)]
        self._newest = 0
        self._in_place = np.arange(self.n_rows, dtype=np.int64)

    def _bind(self, step: StepFile, read: int) -> ort.IOBinding:
        binding = self._session.io_binding()
        given = [(TOKENS, self._tokens), (POSITION, self._position), (MEMORY, self._memory)]
        given += [(p.input, c) for p, c in zip(step.cache, self._caches[read], strict=True)]
        for name, array in given:
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        taken = [(step.output.name, self._log_probs), (step.attention.name, self._attention)]
        taken += [(p.output, c) for p, c in zip(step.cache, self._caches[1 - read], strict=True)]
        for name, array in taken:
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        return binding

    def begin(self, memory: NDArray[np.float32]) -> None:
        """Take the memory ``(1, n_frames, n_features)``; see the port."""
        self._memory[...] = memory
        self._newest = 0
        for cache in self._caches[0]:
            cache.fill(0)

    def step(
        self, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return log-probabilities and attention of the next symbol; see the port."""
        self._tokens[:] = tokens
        self._position[0] = position
        read = self._newest
        if not np.array_equal(parents, self._in_place):
            read = 1 - self._newest
            for newest, ordered in zip(self._caches[self._newest], self._caches[read], strict=True):
                np.take(newest, parents, axis=0, out=ordered, mode="clip")
        run_bound(self._session, self._bindings[read], self._path)
        self._newest = 1 - read
        return (
            self._log_probs.astype(np.float32, copy=False),
            self._attention.astype(np.float32, copy=False),
        )

    def warm_up(self, n_calls: int = 10) -> None:
        """Step on zeros until the first calls' costs are paid."""
        self.begin(np.zeros(self._memory.shape, dtype=np.float32))
        for call in range(n_calls):
            self.step(self._tokens, self._in_place, call % self.max_symbols)


def _zeros(tensor: Tensor) -> NDArray[Any]:
    return np.zeros(tensor.shape, dtype=np.float16 if tensor.dtype == "float16" else np.float32)
