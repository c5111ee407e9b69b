"""What a bundle takes of a process that does nothing else, as a daemon's does.

Run as a program it opens one bundle, calls its model and says what memory that took, as JSON: in
the process that profiles, torch and all that was measured before would be counted too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from pipeline.errors import EegscribeError
from pipeline.spec import Settings

N_CALLS = 50


class Footprint(Settings, frozen=True, kw_only=True):
    """Resident bytes: of the imports alone, with the bundle open and called, and at the most."""

    imports_bytes: int
    open_bytes: int
    peak_bytes: int | None


def measure_footprint(bundle: Path) -> Footprint:
    """Return what a fresh process takes for a bundle, which was opened before.

    Raises:
        EegscribeError: that process fails.
    """
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    ended = subprocess.run(  # noqa: S603 - this module, and a bundle by its path
        [sys.executable, "-m", "tools.profiling.footprint", str(bundle)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise EegscribeError(f"{bundle}: its memory could not be measured ({said[0]})")
    return Footprint(**json.loads(ended.stdout))


def _main(bundle: Path) -> None:
    from models.bundle import load_bundle
    from models.golden import read_windows
    from runtime.engine import open_engine
    from tools.resident import peak_bytes, resident_bytes

    imports = resident_bytes()
    engine = open_engine(bundle, providers="cpu")
    model = engine.model()
    windows = read_windows(load_bundle(bundle))
    for k in range(N_CALLS):
        model.run(windows[k % len(windows)])
    found = {
        "imports_bytes": imports,
        "open_bytes": resident_bytes(),
        "peak_bytes": peak_bytes(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
