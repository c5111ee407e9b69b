"""Nothing that we start tells anybody anything: ONNX Runtime leaves no identifier, no database."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.system.daemons import EEGSCRIBE
from tools.demo.demo_run import DEMO_BUNDLE

if TYPE_CHECKING:
    from pathlib import Path

# As a clinic's host: neither asked to be silent, nor a CI machine, where it is silent by itself.
KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG")
BARE = {key: os.environ[key] for key in KEPT if key in os.environ}


def left_behind(home: Path, *command: str) -> list[str]:
    """Return the files that a process leaves, whose home and temporary folder are ``home``."""
    surroundings = {**BARE, "HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


def test_onnx_runtime_by_itself_would_leave_something(tmp_path: Path) -> None:
    """Else the tests below could not fail: then a newer one needs a look at its other ways."""
    assert left_behind(tmp_path, sys.executable, "-c", "import onnxruntime")


@pytest.mark.parametrize(
    "code",
    [
        "from models.onnx_backend import OnnxModel",
        "from runtime.engine import open_engine; from pathlib import Path;"
        f" open_engine(Path({str(DEMO_BUNDLE)!r}))",
        "import tools.cli; import onnxruntime",
    ],
)
def test_what_imports_ours_leaves_nothing(tmp_path: Path, code: str) -> None:
    assert left_behind(tmp_path, sys.executable, "-c", code) == []


def test_a_verb_leaves_nothing(tmp_path: Path) -> None:
    assert left_behind(tmp_path, *EEGSCRIBE, "--version") == []
