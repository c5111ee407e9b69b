"""The verdict into the bundle, so that its messages carry ``verified``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from models.bundle import load_bundle, write_bundle
from models.manifest import Evaluation
from runtime.store import is_stored

if TYPE_CHECKING:
    from pathlib import Path

    from tools.evaluation.rule import VerdictName

KEY = "evaluation"
"""Of the manifest's scores; what training or calibration wrote there stays beside it."""


def why_not(path: Path) -> str | None:
    """Return why a bundle cannot be written, None where it can."""
    if is_stored(path):
        return "bundles in the store are never altered; evaluate the file, then install it"
    folder = path.resolve().parent
    return None if os.access(folder, os.W_OK | os.X_OK) else f"{folder} cannot be written"


def put_verdict(path: Path, sha256: str, *, verdict: VerdictName, scores: dict[str, Any]) -> str:
    """Write the bundle anew with the verdict and its scores; return its new digest.

    Raises:
        BundleError: it is not the one that was evaluated any more.
        OSError: the disk.
    """
    place = path.resolve()  # what a link points to is replaced, not the link
    bundle = load_bundle(place, pinned_sha256=sha256)
    known = bundle.manifest.evaluation.scores
    evaluation = Evaluation(verdict=verdict, scores={**known, KEY: scores})
    manifest = msgspec.structs.replace(bundle.manifest, evaluation=evaluation)
    return write_bundle(place, manifest, bundle.files)
