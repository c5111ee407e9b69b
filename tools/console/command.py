"""The command that runs, and when, as the provenance of what it makes will tell it."""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.plain_text import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORDS: ContextVar[tuple[str, ...] | None] = ContextVar("words", default=None)


@contextmanager
def running(words: Sequence[str]) -> Iterator[None]:
    """Let :func:`command` be ``eegscribe`` and these words inside."""
    token = _WORDS.set(tuple(words))
    try:
        yield
    finally:
        _WORDS.reset(token)


def command() -> str:
    """Return the command as a shell would take it; that of the process where none is running."""
    words = _WORDS.get()
    return shown(shlex.join(["eegscribe", *(sys.argv[1:] if words is None else words)]))


def now() -> str:
    """Return the time in UTC, to the second: ``2026-11-22T05:13:00Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
