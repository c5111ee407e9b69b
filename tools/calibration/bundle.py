"""A calibration as a bundle: the model, what it was made from, and how far it is to be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import write_bundle
from models.golden import GOLDEN, write_golden
from models.manifest import ConfidenceFit, Evaluation, Manifest, ModelFile, Provenance, Tensor
from models.speller_export import INPUT, OUTPUT, export_speller
from models.speller_validation import fit_confidence, is_right
from tools.console.command import now
from tools.console.version import versions

if TYPE_CHECKING:
    from pathlib import Path

    from tools.calibration.calibrate import Calibration

MODEL = "model.onnx"
README = "README.md"
N_GOLDEN = 4
PACKAGES = ("eegscribe", "numpy", "scipy", "onnx")


def write_calibration(
    calibration: Calibration,
    path: Path,
    *,
    figures: dict[str, Any],
    command: str,
    data: dict[str, str],
) -> str:
    """Write the bundle, a folder or by its suffix one ``.eegb`` file, and return its digest.

    Args:
        calibration: what to write.
        path: where to.
        figures: of the report.
        command: that made it.
        data: name of each recording and of the layout to its SHA-256.

    Raises:
        BundleError: a folder in the way is no bundle.
        OSError: the disk.
    """
    model = export_speller(calibration.fit)
    windows = golden_windows(calibration)
    outputs = calibration.fit.scores(windows).astype(np.float32)
    manifest = Manifest(
        format_version=1,
        name=path.stem,
        created=now(),
        pipeline=calibration.spec,
        model=ModelFile(
            path=MODEL,
            input=Tensor(name=INPUT, shape=(1, *windows.shape[1:])),
            output=Tensor(name=OUTPUT, shape=(1, *outputs.shape[1:])),
        ),
        files={},
        confidence=_confidence(calibration),
        provenance=Provenance(command=command, versions=versions(PACKAGES), data=data),
        evaluation=Evaluation(scores=figures),
    )
    files = {
        MODEL: model,
        GOLDEN: write_golden(windows, outputs),
        README: _readme(manifest, figures).encode(),
    }
    return write_bundle(path, manifest, files)


def golden_windows(calibration: Calibration) -> NDArray[np.float32]:
    """Return simulated windows, ``(n_calls, n_samples, n_inputs)``: a bundle holds nobody's EEG.

    A random walk on each channel, with steps as large as the person's own.
    """
    rng = np.random.default_rng(0)
    n_inputs = calibration.data.windows.shape[2]
    n_samples = calibration.window.length_samples
    step_uv = np.diff(calibration.data.windows, axis=1).std(axis=(0, 1))  # (n_inputs,)
    steps = rng.standard_normal((N_GOLDEN, n_samples, n_inputs)) * step_uv
    return np.cumsum(steps, axis=1).astype(np.float32)


def _confidence(calibration: Calibration) -> ConfidenceFit:
    """Return the map from posterior to probability, from held-out trials at every checkpoint."""
    right = is_right(calibration.scores, calibration.data.labels)
    posterior = np.exp(calibration.scores.max(axis=2))
    raw, probability = fit_confidence(posterior.ravel(), right.ravel())
    return ConfidenceFit(raw=raw, probability=probability, n=len(right))


def _readme(manifest: Manifest, figures: dict[str, Any]) -> str:
    low, high = figures["interval_95"]
    spec = manifest.pipeline
    return f"""# {manifest.name}

An SSVEP speller of {len(spec.vocabulary)} symbols, fitted to one person:
{len(spec.channels)} channels at {spec.rate_hz:g} Hz, {figures["length_s"]:g} s of EEG a symbol.

Held-out trials read right: {figures["accuracy"]:.1%}, 95 % interval {low:.1%} to {high:.1%}
({figures["validation"]}, {figures["n_trials"]} trials); chance is {figures["chance"]:.1%}.
Finding: {figures["finding"]}. The verdict of an evaluation, if there was one, is in the manifest.

Made by `{manifest.provenance.command}` on {manifest.created}.
It fits the person, montage and screen it was made with, and nobody else.
"""
