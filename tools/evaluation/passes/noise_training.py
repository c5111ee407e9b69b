"""The same training with noise in place of EEG: what it then reads, it did not learn from EEG.

A calibration is done again here, on surrogates of the very recordings it was made of, with the same
labels. A network is not trained again: train one on noise by itself, by the same recipe, and give
that bundle to ``--noise-trained``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pipeline.errors import RecordingError, UsageError
from pipeline.spec import EventWindow
from runtime.engine import open_engine
from runtime.recordings.source import RecordingSource
from tools.calibration.bundle import write_calibration
from tools.calibration.calibrate import calibrate_ssvep
from tools.calibration.report import figures_of
from tools.evaluation.passes.control_inputs import phases_like
from tools.recordings.digests import sha256_of
from tools.recordings.labelled_trials import read_recording
from tools.recordings.layout import SsvepLayout, read_layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runtime.engine import Engine

CONTROL = "trained on noise"


def is_calibration(engine: Engine) -> bool:
    """Say whether a bundle was made by ``eegscribe calibrate``."""
    return engine.bundle.manifest.provenance.command.startswith("eegscribe calibrate ")


def calibrated_on_noise(
    engine: Engine,
    recordings: Sequence[Path],
    layout: Path,
    *,
    folder: Path,
    decoder: Mapping[str, str],
    seed: int,
) -> Engine:
    """Return a bundle calibrated as ``engine``'s was, on phase-randomised surrogates.

    Args:
        engine: of the bundle that is evaluated.
        recordings: that it was calibrated on, all of them or some.
        layout: that it was calibrated with.
        folder: where the bundle may lie.
        decoder: settings that replace its own, as text.
        seed: of the surrogates.

    Raises:
        UsageError: one of the files is not what the bundle was made of.
        RecordingError: they cannot be used.
    """
    known = set(engine.bundle.manifest.provenance.data.values())
    for path in (*recordings, layout):
        try:
            is_known = sha256_of(path) in known
        except OSError as error:
            raise RecordingError(f"{path}: cannot be read ({error.strerror})") from None
        if not is_known:
            raise UsageError(f"--trained-on, --layout: the bundle was not made of {path}")
    keys = read_layout(layout)
    if not isinstance(keys, SsvepLayout):
        raise RecordingError(f"{layout}: is a layout of another kind, wanted ssvep")
    surrogates = []
    for number, path in enumerate(recordings):
        read = read_recording(RecordingSource(path), name=path.name, stimulus=keys.stimulus)
        noise = phases_like(read.samples, seed=seed + number)
        surrogates.append(dataclasses.replace(read, samples=noise))
    window, max_s = engine.spec.window, None
    if isinstance(window, EventWindow):
        max_s = window.length_samples / engine.spec.rate_hz  # as long as its own
    calibration = calibrate_ssvep(surrogates, keys, max_s=max_s, seed=seed, n_shuffles=0)
    path = folder / "trained-on-noise.eegb"
    write_calibration(
        calibration,
        path,
        figures=figures_of(calibration),
        command="eegscribe evaluate",
        data={},
    )
    return open_engine(path, decoder=decoder)
