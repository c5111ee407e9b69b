"""Arrays as recordings: ``x.npy`` or ``x.csv`` with a sidecar ``x.json``.

The sidecar holds ``rate_hz``, ``channels``, optionally ``unit`` (microvolts) and ``markers``, a
list of ``{"sample": 250, "text": "stim:on"}``. The array is ``(n_samples, n_channels)``; a CSV has
no header line.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pipeline.errors import RecordingError
from runtime.recordings.damage import DAMAGE
from runtime.recordings.raw import RawRecording

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".npy", ".csv")


class SidecarMarker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A marker at a sample."""

    sample: int
    text: str


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a bare array does not say of itself."""

    rate_hz: float
    channels: tuple[str, ...]
    unit: str = "microvolts"
    markers: tuple[SidecarMarker, ...] = ()


def read_array(path: Path) -> RawRecording:
    """Read an array with its sidecar.

    Raises:
        RecordingError: either is missing or malformed.
    """
    sidecar_path = path.with_suffix(".json")
    try:
        sidecar = msgspec.json.decode(sidecar_path.read_bytes(), type=Sidecar)
    except OSError as error:
        raise RecordingError(f"{sidecar_path}: wanted a sidecar: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingError(f"{sidecar_path}: {error}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file is told below
            if path.suffix == ".npy":
                with path.open("rb") as file:  # np.load would open other kinds of file too
                    values = np.lib.format.read_array(file, allow_pickle=False)
            else:
                values = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
    except DAMAGE as error:
        said = " ".join(str(error).split())[:200]
        raise RecordingError(f"{path}: not a readable array ({said})") from None
    return RawRecording(
        name=path.stem,
        source_id=path.stem,
        rate_hz=sidecar.rate_hz,
        labels=sidecar.channels,
        units=(sidecar.unit,) * len(sidecar.channels),
        values=values,
        stamps=None,
        markers=[(m.text, float(m.sample)) for m in sidecar.markers],
    )
