"""Records of diagnostics as JSON files: read back when a training goes on, written whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from pipeline.spec import Settings
from tools.training.checkpoint import write_whole

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T", bound=Settings)


def read_record(path: Path, kind: type[T]) -> T | None:
    """Return the record at ``path``; None where there is none, or one of another form."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_record(path: Path, record: Settings) -> None:
    """Write ``record`` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.encode(record) + b"\n")
