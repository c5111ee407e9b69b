"""Backends of several bundles timed by turns, beside a yardstick that is always the same work.

Each bundle hears windows of its own, so what a turn hands out is only the number of a window.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from tools.benchmarking.results import Against
from tools.compression.timing import ratio, time_blocks
from tools.host import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from tools.benchmarking.results import Blocks
    from tools.compression.timing import Timed

YARDSTICK = ("", "yardstick")
DISTURBED = 3.0
"""Times its median that the yardstick's 99th percentile is at most where no one else disturbs."""

Key = tuple[str, str]
"""A bundle's name and a backend's."""


class Fed:
    """A backend that is given the window of its own bundle with the number it is called with."""

    def __init__(self, timed: Timed, windows: NDArray[np.float32]) -> None:
        self._timed, self._windows = timed, windows

    def run(self, window: NDArray[np.float32]) -> object:
        """Run on the window number ``window[0, 0]``."""
        return self._timed.run(self._windows[int(window[0, 0]) % len(self._windows)])


class Yardstick:
    """A digest of the same bytes: how fast a core is just now, wherever memory happens to lie.

    Products of matrices took a tenth more or less from one process to the next, by alignment alone.
    """

    _data = bytes(range(256)) * 512

    def run(self, _window: NDArray[np.float32]) -> object:
        """Do the work, whatever the window."""
        return hashlib.sha256(self._data).digest()


def race(
    runners: Mapping[Key, Timed],
    *,
    n_blocks: int,
    n_windows: int,
    on_block: Callable[[int], None],
) -> tuple[dict[Key, NDArray[np.float64]], float | None]:
    """Return milliseconds (n_blocks, n_windows) by runner, and cores that others kept busy."""
    names = {f"{k}": key for k, key in enumerate([YARDSTICK, *runners])}
    timed = {name: {YARDSTICK: Yardstick(), **runners}[key] for name, key in names.items()}
    numbers = np.arange(n_blocks * n_windows, dtype=np.float32).reshape(-1, 1, 1)
    ticks, own_s, began_s = _ticks(), sum(os.times()[:4]), time.monotonic()
    taken = time_blocks(timed, numbers, n_blocks=n_blocks, n_windows=n_windows, on_block=on_block)
    others = None
    if ticks is not None:
        own = (sum(os.times()[:4]) - own_s) / max(time.monotonic() - began_s, 1e-9)
        others = max(0.0, machine.busy_share(since=ticks) * (os.cpu_count() or 1) - own)
    return {names[name]: times for name, times in taken.items()}, others


def is_disturbed(yardstick: Blocks) -> bool:
    """Say whether other processes held up even the yardstick, in half of all blocks or more."""
    return float(np.median(yardstick.p99)) > DISTURBED * float(np.median(yardstick.p50))


def _ticks() -> tuple[int, int] | None:
    try:
        return machine.ticks()
    except OSError:
        return None  # no Linux: nobody tells what other processes do


def against(one: NDArray[np.float64], other: NDArray[np.float64]) -> Against:
    """Return how many times as long ``one`` takes as ``other``, both (n_blocks, n_windows)."""
    found, turned = ratio(one, other), ratio(other, one)
    return Against(
        p50=found.p50,
        p50_low=1.0 / turned.p50_high,
        p50_high=found.p50_high,
        p99=found.p99,
        p99_low=found.p99_low,
        p99_high=found.p99_high,
    )
