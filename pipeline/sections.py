"""Second-order sections, sample by sample, in float64.

The inner loop is scipy's own compiled one, so its bits are scipy's bits. It is loaded as the one
extension module it is: importing ``scipy.signal`` for it costs 75 MB and a second, which a daemon
on a small machine would carry for ever (DECISIONS 4).
"""

from __future__ import annotations

import importlib.util
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def _load_kernel() -> Callable[..., Any]:
    folder = Path(scipy.__file__).parent / "signal"
    for suffix in EXTENSION_SUFFIXES:
        path = folder / f"_sosfilt{suffix}"
        spec = importlib.util.spec_from_file_location("scipy.signal._sosfilt", path)
        if path.is_file() and spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return _as_kernel(getattr(module, "_sosfilt", None))
    from scipy.signal import _sosfilt  # a scipy that is laid out differently: slower to import only

    return _as_kernel(getattr(_sosfilt, "_sosfilt", None))


def _as_kernel(function: Callable[..., Any] | None) -> Callable[..., Any]:
    if function is None:
        raise ImportError("scipy.signal._sosfilt: no filter kernel in it, wanted the pinned scipy")
    return function


_kernel = _load_kernel()


def steady_state(sos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the state ``(n_sections, 2)`` of a cascade that has seen the constant 1 for ever.

    The same arithmetic as ``scipy.signal.sosfilt_zi``, so that the bits agree.

    Raises:
        ValueError: a section has a pole at 1 and therefore no steady state.
    """
    states = np.empty((len(sos), 2))
    scale = 1.0
    for k, section in enumerate(sos):
        b, a = section[:3], section[3:]
        i_minus_a = np.array([[1.0 + a[1], -1.0], [a[2], 1.0]])
        try:
            states[k] = scale * np.linalg.solve(i_minus_a, b[1:] - a[1:] * b[0])
        except np.linalg.LinAlgError:
            raise ValueError(f"section {k} has a pole at 1, wanted a stable section") from None
        scale *= np.sum(b) / np.sum(a)
    return states


class Cascade:
    """One causal cascade over many signals, with its state.

    Args:
        sos: ``(n_sections, 6)``, ``a0 = 1``.
        n_signals: how many signals are filtered side by side.
    """

    def __init__(self, sos: NDArray[np.float64], *, n_signals: int) -> None:
        self._sos = np.ascontiguousarray(sos, dtype=np.float64)
        self._steady = steady_state(self._sos)
        self._state = np.zeros((n_signals, len(self._sos), 2))

    def settle(self, signal: int, value: float) -> None:
        """Put one signal in the steady state of the constant ``value``: no transient from here."""
        self._state[signal] = self._steady * value

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Start from ``state``, ``(n_signals, n_sections, 2)``, which is copied."""
        self._state[:] = state

    def run(self, signals: NDArray[np.float64]) -> None:
        """Filter ``(n_signals, n_samples)`` float64, C-contiguous, in place; state goes on."""
        if signals.shape[1]:
            _kernel(self._sos, signals, self._state)
