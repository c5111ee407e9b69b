"""Golden vectors: what the model gave where it was made, replayed where it is to run."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.bundle import Bundle
    from models.model import Model

GOLDEN = "golden.npz"


def write_golden(windows: NDArray[np.float32], outputs: NDArray[np.float32]) -> bytes:
    """Return the bytes of ``golden.npz``.

    Args:
        windows: successive calls, ``(n_calls, n_samples, n_inputs)``.
        outputs: what they gave from a fresh state, ``(n_calls, n_rows, n_columns)``.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        windows=windows.astype(np.float32),
        outputs=outputs.astype(np.float32),
        allow_pickle=False,
    )
    return buffer.getvalue()


def run_windows(model: Model, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return outputs ``(n_calls, n_rows, n_columns)`` of successive windows, state fresh."""
    model.reset()
    outputs = np.stack([model.run(window).copy() for window in windows])
    model.reset()
    return outputs


def check_golden(bundle: Bundle, model: Model) -> None:
    """Replay the golden vectors through ``model``.

    Raises:
        BundleError: none in the bundle, unreadable, of another shape, or further off than the
            tolerance.
    """
    manifest = bundle.manifest
    where = f"{manifest.name}/{GOLDEN}"
    data = bundle.files.get(GOLDEN)
    if data is None:
        raise BundleError(f"{where}: missing, wanted the golden vectors of the model")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            windows, wanted = arrays["windows"], arrays["outputs"]
    except (
        ValueError,
        KeyError,
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        AttributeError,
    ) as error:
        raise BundleError(f"{where}: unreadable ({error})") from None
    n_calls = len(windows)
    shapes = (manifest.model.input.shape[1:], manifest.model.output.shape[1:])
    if not n_calls or (windows.shape[1:], wanted.shape) != (shapes[0], (n_calls, *shapes[1])):
        raise BundleError(
            f"{where}: got shapes {windows.shape} and {wanted.shape}, wanted n of {shapes}"
        )
    if windows.dtype != np.float32 or wanted.dtype != np.float32:
        raise BundleError(f"{where}: got {windows.dtype} and {wanted.dtype}, wanted float32")
    got = run_windows(model, windows)
    tolerance = manifest.model.golden_tolerance
    if manifest.model.precision in {"float32", "float16"}:
        off = float(np.abs(got - wanted).max())
    else:
        off = float(np.mean(got.argmax(axis=-1) != wanted.argmax(axis=-1)))
    if not off <= tolerance:
        raise BundleError(
            f"{where}: the model is off by {off:.3g} here, the tolerance is {tolerance:g}"
        )
