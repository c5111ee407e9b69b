"""The running pusher as a bench sees it: whose sample a stamp is, and when it was pushed."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tests.bench.processes import Process, module
from tests.bench.pusher import PUSHES, STARTED

if TYPE_CHECKING:
    from pathlib import Path

START_S = 30.0


class PushedStream:
    """A pusher's process and its log."""

    def __init__(self, process: Process, folder: Path, source_id: str) -> None:
        self.process = process
        self.source_id = source_id
        self._path = folder / PUSHES
        until_s = time.monotonic() + START_S
        while not (folder / STARTED).exists():
            if time.monotonic() > until_s:
                raise RuntimeError("the pusher did not start")
            time.sleep(0.01)
        started = json.loads((folder / STARTED).read_text())
        self._began_s: float = started["began_s"]
        self._rate_hz: float = started["rate_hz"]
        self._chunk: int = started["chunk"]

    def index(self, stamp_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where stamps lie on the axis of pushed samples, not rounded."""
        return (stamp_s - self._began_s) * self._rate_hz

    def pushed_s(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the clock just before the push of each sample."""
        pushes = np.fromfile(self._path, dtype=np.float64)
        return pushes[index // self._chunk]

    def stamp_s(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the stamps that samples were sent with."""
        return self._began_s + index / self._rate_hz

    def late_ms(self) -> NDArray[np.float64]:
        """Return how late after its deadline each push so far was."""
        pushes = np.fromfile(self._path, dtype=np.float64)
        pushes = pushes[np.isfinite(pushes)]
        last = (np.arange(len(pushes)) + 1) * self._chunk - 1
        return (pushes - self.stamp_s(last)) * 1e3


def new_source_id() -> str:
    """Return a name that no other stream has."""
    return f"eegscribe-bench-{time.time_ns()}"


@contextlib.contextmanager
def pushing(
    folder: Path,
    *,
    chunk: int,
    seconds: float,
    bundle: Path | None = None,
    source_id: str | None = None,
) -> Iterator[PushedStream]:
    """Run a pusher in ``folder`` for the block, of the reference's channels or ``bundle``'s."""
    name = source_id or new_source_id()
    options: dict[str, object] = {} if bundle is None else {"bundle": bundle}
    command = module(
        "pusher", source_id=name, chunk=chunk, seconds=seconds, folder=folder, **options
    )
    with Process(command, log=folder / "pusher.log") as process:
        yield PushedStream(process, folder, name)
