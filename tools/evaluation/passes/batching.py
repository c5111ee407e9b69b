"""Windows of a recording through the model many at a time, where that changes not one bit.

Offline all windows are known. A model's file is made for one window a call; it is read anew for
several, and used so only if each row of a batch is bit-equal to the single call: else it is off,
and why is told. Models that carry a state hear one window after the other.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from models.bundle import load_bundle
from models.onnx_backend import REFUSALS
from pipeline.filters import FilterChain
from pipeline.markers import STIMULUS, decoding_marker, split_marker
from pipeline.spec import SelectionDecoder, SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.chain import Scorer
    from pipeline.values import Samples
    from runtime.engine import Engine
    from tools.evaluation.passes.reel import Reel

N_ROWS = 32


@dataclass(frozen=True, slots=True)
class Batching:
    """How a bundle's windows go through its model; ``session`` None for one at a time."""

    session: ort.InferenceSession | None
    told: str

    def model(self, engine: Engine, reel: Reel, samples: Samples) -> Scorer | None:
        """Return a model for a chain that hears ``samples``; None for the bundle's own."""
        if self.session is None:
            return None
        return _Ahead(engine, self.session, windows_of(engine, reel, samples))


def open_batching(path: Path, engine: Engine) -> Batching:
    """Find out whether the windows of a bundle can go in batches.

    Args:
        path: the bundle.
        engine: opened from it.
    """
    model = engine.bundle.manifest.model
    if model.state:
        return Batching(None, "off: the model carries its state from window to window")
    bundle = load_bundle(path, pinned_sha256=engine.bundle.sha256)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a refusal is expected, and told
    try:
        wide = widened(bundle.files[model.path], n_rows=N_ROWS)
        session = ort.InferenceSession(wide, options, providers=engine.session.get_providers())
        is_equal = _is_equal(engine, session)
    except REFUSALS:
        return Batching(None, "off: the model's file takes one window a call, and no more")
    if not is_equal:
        return Batching(None, "off: a row of a batch is not bit-equal to the single call")
    return Batching(session, f"{N_ROWS} windows a call, each bit-equal to the single call")


def widened(data: bytes, *, n_rows: int) -> bytes:
    """Return a model's file for ``n_rows`` windows a call, as far as shapes go.

    Whether it computes the same is to be found out: what else was made for one window shows then.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = n_rows
    del graph.value_info[:]
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    tensors = [tensor for tensor in graph.initializer if tensor.name in shapes]
    tensors += [
        node.attribute[0].t
        for node in graph.node
        if node.op_type == "Constant" and node.output[0] in shapes
    ]
    for tensor in tensors:
        shape = numpy_helper.to_array(tensor).copy()
        if shape.size and shape[0] == 1:
            shape[0] = n_rows
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
    wide: bytes = model.SerializeToString()
    return wide


def _is_equal(engine: Engine, session: ort.InferenceSession) -> bool:
    """Say whether every row of batches of noise, of several levels, is the single call's."""
    file, single = engine.bundle.manifest.model, engine.model()
    for seed, level in enumerate((1.0, 20.0, 300.0)):
        draw = np.random.default_rng(seed).standard_normal((N_ROWS, *file.input.shape[1:]))
        windows = (level * draw).astype(np.float32)
        outputs = _run(engine, session, windows)
        if outputs.shape[0] != N_ROWS:
            return False
        for window, output in zip(windows, outputs, strict=True):
            if output.tobytes() != single.run(window).tobytes():
                return False
    return True


def _run(
    engine: Engine, session: ort.InferenceSession, windows: NDArray[np.float32]
) -> NDArray[np.float32]:
    file = engine.bundle.manifest.model
    given = windows.astype(file.input.dtype, copy=False)
    found: NDArray[np.float32] = session.run([file.output.name], {file.input.name: given})[0]
    return found.astype(np.float32, copy=False)


def windows_of(engine: Engine, reel: Reel, samples: Samples) -> Iterator[NDArray[np.float32]]:
    """Yield the windows that a chain is likely to ask for, in its order.

    Each is as the model sees it: filtered, and padded with zeros where it looks early.
    """
    spec = engine.spec
    filtered = FilterChain(spec).push(samples)
    longest = engine.bundle.manifest.model.input.shape[1]
    for start, length in _looks(engine, reel, len(samples)):
        window = np.zeros((longest, filtered.shape[1]), np.float32)
        window[:length] = filtered[start : start + length]
        yield window


def _looks(engine: Engine, reel: Reel, n_samples: int) -> list[tuple[int, int]]:
    """Return first sample and length of each window within the recording, by their ends."""
    window, decoder = engine.spec.window, engine.spec.decoder
    if isinstance(window, SlidingWindow):
        starts = range(0, n_samples - window.window_samples + 1, window.hop_samples)
        return [(start, window.window_samples) for start in starts]
    lengths = window.checkpoints_samples
    if isinstance(decoder, SelectionDecoder):
        limit = np.inf if decoder.max_s is None else decoder.max_s * engine.spec.rate_hz + 1e-6
        lengths = tuple(n for n in lengths if n <= limit)
        lengths = lengths if decoder.threshold <= 1.0 else lengths[-1:]
    onsets = [
        marker.index
        for chunk in reel.chunks
        for marker in chunk.markers
        if split_marker(decoding_marker(marker.text, reel.marker_names) or "")[0] == STIMULUS
    ]
    looks = [(onset + window.offset_samples, length) for onset in onsets for length in lengths]
    looks = [look for look in looks if look[0] >= 0 and sum(look) <= n_samples]
    return sorted(looks, key=lambda look: (sum(look), look[0]))


class _Ahead:
    """A model that runs the windows it expects in batches, and any other by itself."""

    def __init__(
        self,
        engine: Engine,
        session: ort.InferenceSession,
        expected: Iterator[NDArray[np.float32]],
    ) -> None:
        self._engine, self._session = engine, session
        self._expected = expected
        self._single = engine.model()
        self._known: deque[tuple[bytes, NDArray[np.float32]]] = deque()

    def run(self, window: Samples) -> NDArray[np.float32]:
        """Return the output for one window; see :class:`models.model.Model`."""
        wanted = window.tobytes()
        for _ in range(2):
            for place, (given, output) in enumerate(self._known):
                if given == wanted:
                    for _ in range(place + 1):
                        self._known.popleft()  # what lies before it was passed over
                    return output
            self._refill()
        return self._single.run(window)

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def _refill(self) -> None:
        windows = list(itertools.islice(self._expected, N_ROWS))
        if not windows:
            return
        batch = np.zeros((N_ROWS, *windows[0].shape), np.float32)
        batch[: len(windows)] = windows
        outputs = _run(self._engine, self._session, batch)
        self._known = deque(
            (window.tobytes(), output) for window, output in zip(windows, outputs, strict=False)
        )
