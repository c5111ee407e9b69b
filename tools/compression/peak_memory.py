"""How much memory a process takes that does nothing but open a bundle and run it.

``python -m tools.compression.peak_memory B.eegb runtime|torch`` prints the figures as JSON. Each
form has a process of its own: what one has touched, no other gives back. The peak is Linux's own
(``VmHWM``), libraries and all; what was there before the bundle was opened stands beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.errors import EegscribeError
from pipeline.spec import Settings

if TYPE_CHECKING:
    from tools.compression.timing import Timed

Form = Literal["runtime", "torch"]

N_CALLS = 200

STATUS = Path("/proc/self/status")


class PeakMemory(Settings, frozen=True, kw_only=True):
    """Megabytes: the most the process had, and what it had before it opened the bundle."""

    peak_mb: float
    before_mb: float


def peak_memory(path: Path, form: Form) -> PeakMemory | None:
    """Return the memory of a process that runs the bundle; None where the system does not tell.

    Raises:
        EegscribeError: that process failed.
    """
    if not STATUS.exists():
        return None
    command = [sys.executable, "-m", "tools.compression.peak_memory", str(path), form]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise EegscribeError(f"{path}: its memory was not measured: {last}")
    found: dict[str, float] = json.loads(done.stdout)
    return PeakMemory(**found)


def _status_mb(name: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def _opened(path: Path, form: Form) -> tuple[Timed, tuple[int, ...]]:
    """Return what runs, and the shape of its window."""
    from models.bundle import load_bundle

    bundle = load_bundle(path)
    _, *shape = bundle.manifest.model.input.shape
    if form == "runtime":
        from tools.compression.hop import hop_of

        return hop_of(bundle), tuple(shape)
    from models.weights import unpack
    from tools.compression.eager import eager_hop

    return eager_hop(unpack(bundle), bundle.manifest.step), tuple(shape)


def main() -> None:
    """Measure this process."""
    path, form = Path(sys.argv[1]), sys.argv[2]
    if form == "torch":
        import torch

        torch.set_num_threads(1)
    before_mb = _status_mb("VmRSS")
    hop, shape = _opened(path, "torch" if form == "torch" else "runtime")
    window = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for _ in range(N_CALLS):
        hop.run(window)
    print(json.dumps({"peak_mb": _status_mb("VmHWM"), "before_mb": before_mb}))


if __name__ == "__main__":
    main()
