"""Training that survives a kill: tensors in safetensors, counters in JSON, both whole or not there.

The counters name the file of tensors they belong to and are replaced last, so at any moment the
folder holds one checkpoint that fits together.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import RecordingError
from pipeline.spec import Settings

if TYPE_CHECKING:
    from torch import Tensor

COUNTERS = "counters.json"


class Counters(Settings, frozen=True):
    """``step`` steps are done; ``identity`` says of what, ``losses`` how it went (one a step)."""

    step: int
    identity: str
    tensors: str
    losses: tuple[float, ...] = ()


def save(folder: Path, counters: Counters, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint and drop the one before it."""
    from safetensors.torch import save as to_bytes

    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / counters.tensors, to_bytes({k: t.contiguous() for k, t in tensors.items()}))
    _write(folder / COUNTERS, msgspec.json.encode(counters))
    for old in folder.glob("*.safetensors"):
        if old.name != counters.tensors:
            old.unlink()


def load(folder: Path) -> tuple[Counters, dict[str, Tensor]] | None:
    """Return the checkpoint in ``folder``, None where there is none.

    Raises:
        RecordingError: it is damaged; says which file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    path = folder / COUNTERS
    if not path.is_file():
        return None
    try:
        counters = msgspec.json.decode(path.read_bytes(), type=Counters)
        path = folder / Path(counters.tensors).name
        return counters, from_bytes(path.read_bytes())
    except (msgspec.DecodeError, SafetensorError, OSError) as error:
        raise RecordingError(f"{path}: checkpoint cannot be read ({error})") from None


def remove(folder: Path) -> None:
    """Remove the checkpoint in ``folder``, and the folder if nothing else is in it."""
    for path in [folder / COUNTERS, *folder.glob("*.safetensors")]:
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
