"""Training that survives a kill: tensors in safetensors, counters in JSON, both whole or not there.

The counters name the file of tensors they belong to and are replaced last, so at any moment the
folder holds one checkpoint that fits together.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import RecordingError
from pipeline.spec import Settings
from runtime.whole_file import write_whole

if TYPE_CHECKING:
    from torch import Tensor

COUNTERS = "counters.json"
METRICS = "metrics.jsonl"
PLAN = "plan.json"

EARLY = "early.safetensors"
"""Weights kept after ``keep_early`` steps."""

KEPT = "minutes-*.safetensors"
"""Weights kept on the way, for the curve of errors against minutes of training."""


class Best(Settings, frozen=True):
    """The smallest monitored figure so far, after how many steps, and validations since."""

    value: float
    step: int
    n_since: int = 0


class Counters(Settings, frozen=True):
    """Where a training is: ``step`` steps done in ``trained_s``; ``identity`` says of what.

    ``scaler`` is the state of the gradients' scaling at 16 bit. Random states are functions of the
    step, and so are examples: nothing else is needed to go on.
    """

    step: int
    identity: str
    tensors: str
    trained_s: float = 0.0
    best: Best | None = None
    is_stopped: bool = False
    scaler: dict[str, float] = msgspec.field(default_factory=dict)


def save(folder: Path, counters: Counters, tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint and drop the one before it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / counters.tensors, tensors)
    write_whole(folder / COUNTERS, msgspec.json.encode(counters))
    for old in folder.glob("step-*.safetensors"):
        if old.name != counters.tensors:
            old.unlink()


def load(folder: Path) -> tuple[Counters, dict[str, Tensor]] | None:
    """Return the checkpoint in ``folder``, None where there is none.

    Raises:
        RecordingError: it is damaged; says which file.
    """
    counters = load_counters(folder)
    if counters is None:
        return None
    return counters, read_tensors(folder / Path(counters.tensors).name)


def load_counters(folder: Path) -> Counters | None:
    """Return where the training in ``folder`` is, None where there is none.

    Raises:
        RecordingError: the file is damaged.
    """
    path = folder / COUNTERS
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Counters)
    except (msgspec.DecodeError, OSError) as error:
        raise RecordingError(f"{path}: checkpoint cannot be read ({error})") from None


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors by name, whole or not at all."""
    from safetensors.torch import save as to_bytes

    write_whole(path, to_bytes({k: t.detach().cpu().contiguous() for k, t in tensors.items()}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a file by name.

    Raises:
        RecordingError: it is damaged; says which file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    try:
        tensors: dict[str, Tensor] = from_bytes(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise RecordingError(f"{path}: checkpoint cannot be read ({error})") from None
    return tensors


def remove(folder: Path) -> None:
    """Remove the checkpoint in ``folder``, and the folder if nothing else is in it."""
    for path in [*(folder / n for n in (COUNTERS, METRICS, PLAN)), *folder.glob("*.safetensors")]:
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
