"""The peers' own environment, made on first use: their libraries never mix with ours."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from tests.bench.processes import REPO

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = REPO / ".venv-peers"
PACKAGES = ("mne-lsl",)


def peers_python() -> Path:
    """Return the interpreter of the peers' environment: MNE-LSL, and ONNX Runtime as we have it.

    Raises:
        subprocess.CalledProcessError: it cannot be made, as without a package index.
    """
    python = ENVIRONMENT / "bin" / "python"
    ready = ENVIRONMENT / ".ready"
    if not ready.exists():
        print(f"making {ENVIRONMENT.name} for the peers (once) …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        wanted = [*PACKAGES, f"onnxruntime=={_onnxruntime_version()}"]
        subprocess.run([python, "-m", "pip", "install", "-qq", *wanted], check=True)
        ready.touch()
    return python


def peer_versions(python: Path) -> dict[str, str]:
    """Return what the peers run on."""
    code = (
        "from importlib.metadata import version as v; import mne_lsl.lsl as l;"
        "print(v('mne-lsl'), v('onnxruntime'), v('numpy'), l.library_version())"
    )
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return dict(
        zip(("mne-lsl", "onnxruntime", "numpy", "liblsl"), found.stdout.split(), strict=True)
    )


def _onnxruntime_version() -> str:
    try:
        return version("onnxruntime-gpu")
    except PackageNotFoundError:
        return version("onnxruntime")
