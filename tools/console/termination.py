"""A verb that is told to end gives back what it took: temporary files, processes it started."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Told(SystemExit):
    """SIGTERM came; of that class so that a process started within ends without a traceback."""


@contextmanager
def tidy_at_sigterm() -> Iterator[None]:
    """Unwind at SIGTERM, and only then die of it, as whoever sent it expects; a second one kills.

    A verb that handles SIGTERM itself, as the daemon does, goes on doing so.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def told(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise _Told(128 + number)

    signal.signal(signal.SIGTERM, told)
    try:
        yield
    except _Told:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
