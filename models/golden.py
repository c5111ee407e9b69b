"""Golden vectors: what the model gave where it was made, replayed where it is to run.

Of a seq2seq head they hold both files: the memory of every window, and what the step decoder made
of it for given symbols in every row.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.bundle import DAMAGE, Bundle
from pipeline.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.model import Model
    from models.tolerances import Precision
    from pipeline.seq2seq import Stepper

GOLDEN = "golden.npz"
MAX_GOLDEN_BYTES = 1 << 30

Name = Literal["windows", "outputs", "tokens", "log_probs", "attention"]


@dataclass(frozen=True, slots=True)
class StepVectors:
    """What a step decoder gave: S steps over each of n memories, R rows.

    ``tokens`` (n, S, R) int64 goes in, the start first, every row going on with itself;
    ``log_probs`` (n, S, R, n_symbols) and ``attention`` (n, S, R, n_frames) came out.
    """

    tokens: NDArray[np.int64]
    log_probs: NDArray[np.float32]
    attention: NDArray[np.float32]


def write_golden(
    windows: NDArray[np.float32],
    outputs: NDArray[np.float32],
    steps: StepVectors | None = None,
) -> bytes:
    """Return the bytes of ``golden.npz``.

    Args:
        windows: successive calls, ``(n_calls, n_samples, n_inputs)``.
        outputs: what they gave from a fresh state, ``(n_calls, n_rows, n_columns)``.
        steps: what the step decoder gave for these outputs; only for a seq2seq head.
    """
    arrays: dict[str, NDArray[Any]] = {
        "windows": windows.astype(np.float32),
        "outputs": outputs.astype(np.float32),
    }
    if steps is not None:
        arrays["tokens"] = steps.tokens.astype(np.int64)
        arrays["log_probs"] = steps.log_probs.astype(np.float32)
        arrays["attention"] = steps.attention.astype(np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_windows(bundle: Bundle) -> NDArray[np.float32]:
    """Return the windows (n_calls, n_samples, n_inputs) that golden vectors are of.

    Raises:
        BundleError: there are none, or they are unreadable.
    """
    return _read(bundle, f"{bundle.manifest.name}/{GOLDEN}", "windows")[0]


def run_windows(model: Model, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return outputs ``(n_calls, n_rows, n_columns)`` of successive windows, state fresh."""
    model.reset()
    outputs = np.stack([model.run(window).copy() for window in windows])
    model.reset()
    return outputs


def draw_tokens(stepper: Stepper, *, n: int, n_steps: int, seed: int = 0) -> NDArray[np.int64]:
    """Return tokens (n, n_steps, n_rows) to make golden steps with: the start, then any symbol."""
    rng = np.random.default_rng(seed)
    shape = (n, min(n_steps, stepper.max_symbols), stepper.n_rows)
    tokens = rng.integers(1, stepper.n_symbols, size=shape)
    tokens[:, 0] = 0
    return tokens


def run_steps(
    stepper: Stepper, memories: NDArray[np.float32], tokens: NDArray[np.int64]
) -> StepVectors:
    """Return what the stepper gives for ``tokens`` (n, S, R) over memories (n, n_frames, width)."""
    parents = np.arange(stepper.n_rows, dtype=np.int64)
    log_probs, attention = [], []
    for memory, given in zip(memories, tokens, strict=True):
        stepper.begin(memory[np.newaxis])
        for position, row in enumerate(given):
            log_p, attended = stepper.step(row, parents, position)
            log_probs.append(log_p.copy())
            attention.append(attended.copy())
    n_steps = tokens.shape[:2]
    return StepVectors(
        tokens=tokens,
        log_probs=np.stack(log_probs).reshape(*n_steps, stepper.n_rows, -1),
        attention=np.stack(attention).reshape(*n_steps, stepper.n_rows, -1),
    )


def check_golden(bundle: Bundle, model: Model, stepper: Stepper | None = None) -> None:
    """Replay the golden vectors through ``model``, and through the ``stepper`` of a seq2seq head.

    The stepper is given the memories of the file, so that each is judged by its own tolerance.

    Raises:
        BundleError: none in the bundle, unreadable, of another shape, or further off than the
            tolerance.
    """
    manifest = bundle.manifest
    where = f"{manifest.name}/{GOLDEN}"
    windows, wanted = _read(bundle, where, "windows", "outputs")
    n_calls = len(windows) if windows.ndim else 0
    shapes = (manifest.model.input.shape[1:], manifest.model.output.shape[1:])
    if not n_calls or (windows.shape[1:], wanted.shape) != (shapes[0], (n_calls, *shapes[1])):
        raise BundleError(
            f"{where}: got shapes {windows.shape} and {wanted.shape}, wanted n of {shapes}"
        )
    if windows.dtype != np.float32 or wanted.dtype != np.float32:
        raise BundleError(f"{where}: got {windows.dtype} and {wanted.dtype}, wanted float32")
    file = manifest.model
    got = run_windows(model, windows)
    _compare(where, "model", got, wanted, file.precision, file.golden_tolerance)
    if stepper is not None:
        _check_steps(bundle, stepper, wanted, where)


def _check_steps(
    bundle: Bundle, stepper: Stepper, memories: NDArray[np.float32], where: str
) -> None:
    """Replay the golden steps.

    Raises:
        BundleError: as :func:`check_golden`.
    """
    step = bundle.manifest.step
    if step is None:
        raise BundleError(f"{bundle.manifest.name}: has no step decoder, wanted a seq2seq head")
    tokens, log_probs, attention = _read(bundle, where, "tokens", "log_probs", "attention")
    sizes = (len(memories), tokens.shape[1] if tokens.ndim == 3 else 0, step.n_rows)
    if (
        not 1 <= sizes[1] <= step.max_symbols
        or tokens.shape != sizes
        or log_probs.shape != (*sizes, step.output.shape[1])
        or attention.shape != (*sizes, step.attention.shape[1])
    ):
        raise BundleError(
            f"{where}: got steps of shapes {tokens.shape}, {log_probs.shape} and"
            f" {attention.shape}, wanted {len(memories)} times 1 to {step.max_symbols} steps of"
            f" {step.n_rows} rows"
        )
    types = tuple(a.dtype.name for a in (tokens, log_probs, attention))
    if types != ("int64", "float32", "float32"):
        raise BundleError(f"{where}: got {types}, wanted int64 and float32")
    if tokens.min() < 0 or tokens.max() >= step.output.shape[1] or tokens[:, 0].any():
        raise BundleError(f"{where}: tokens: wanted symbols of the vocabulary, the start first")
    got = run_steps(stepper, memories, tokens)
    tolerance = step.golden_tolerance
    _compare(where, "step decoder", got.log_probs, log_probs, step.precision, tolerance)
    _compare(where, "step decoder's attention", got.attention, attention, step.precision, tolerance)


def _read(bundle: Bundle, where: str, *names: Name) -> list[NDArray[Any]]:
    data = bundle.files.get(GOLDEN)
    if data is None:
        raise BundleError(f"{where}: missing, wanted the golden vectors of the model")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            n_bytes = sum(info.file_size for info in archive.infolist())
        if n_bytes > MAX_GOLDEN_BYTES:
            raise BundleError(f"{where}: {n_bytes} bytes unpacked, wanted at most 1 GiB")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except (*DAMAGE, KeyError, OSError, MemoryError, AttributeError) as error:
        raise BundleError(f"{where}: unreadable ({error})") from None


def _compare(
    where: str,
    what: str,
    got: NDArray[np.float32],
    wanted: NDArray[np.float32],
    precision: Precision,
    tolerance: float,
) -> None:
    if precision in {"float32", "float16"}:
        off = float(np.abs(got - wanted).max())
    else:
        off = float(np.mean(got.argmax(axis=-1) != wanted.argmax(axis=-1)))
    if not off <= tolerance:
        raise BundleError(
            f"{where}: the {what} is off by {off:.3g} here, the tolerance is {tolerance:g}"
        )
