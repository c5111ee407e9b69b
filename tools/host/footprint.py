"""What a bundle takes of a process that does nothing else but open and run it.

``python -m tools.host.footprint B.eegb engine|model|torch`` prints the figures as JSON. Each form
has a process of its own: in the one that asks, torch and all that was measured before would count
too. ``engine`` opens it as a daemon does, language model and all; ``model`` the files that run
alone, and ``torch`` the network by its weights, to be compared with each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from pipeline.errors import EegscribeError
from pipeline.spec import Settings

if TYPE_CHECKING:
    from tools.compression.timing import Timed

Form = Literal["engine", "model", "torch"]

N_CALLS = 200


class Footprint(Settings, frozen=True, kw_only=True):
    """Resident bytes: of the imports alone, with the bundle open and called, and at the most."""

    imports_bytes: int
    open_bytes: int
    peak_bytes: int | None


def measure_footprint(bundle: Path, form: Form = "engine") -> Footprint:
    """Return what a fresh process takes for a bundle, which was opened before.

    Raises:
        EegscribeError: that process fails.
    """
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    ended = subprocess.run(  # noqa: S603 - this module, and a bundle by its path
        [sys.executable, "-m", "tools.host.footprint", str(bundle), form],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise EegscribeError(f"{bundle}: its memory could not be measured ({said[0]})")
    return Footprint(**json.loads(ended.stdout))


def _opened(path: Path, form: Form) -> Timed:
    """Return what runs; only what it needs is imported."""
    if form == "engine":
        from runtime.engine import open_engine
        from tools.compression.hop import Hop

        engine = open_engine(path, providers="cpu")
        return Hop(engine.model(), engine.stepper())
    from models.bundle import load_bundle

    bundle = load_bundle(path)
    if form == "model":
        from tools.compression.hop import hop_of

        return hop_of(bundle)
    import torch

    from models.weights import unpack
    from tools.compression.eager import eager_hop

    torch.set_num_threads(1)
    return eager_hop(unpack(bundle), bundle.manifest.step)


def _main(path: Path, form: Form) -> None:
    from models.bundle import load_bundle
    from models.golden import read_windows
    from tools.host.resident import peak_bytes, resident_bytes

    imports = resident_bytes()
    runs = _opened(path, form)
    windows = read_windows(load_bundle(path))
    for k in range(N_CALLS):
        runs.run(windows[k % len(windows)])
    found = {
        "imports_bytes": imports,
        "open_bytes": resident_bytes(),
        "peak_bytes": peak_bytes(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), next(form for form in get_args(Form) if form == sys.argv[2]))
