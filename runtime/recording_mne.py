"""What MNE reads: FIF, EDF, BDF, BrainVision, EEGLAB. Annotations are the markers."""

from __future__ import annotations

import struct
import warnings
import zlib
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from runtime.recording_raw import RawRecording

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".fif", ".fif.gz", ".edf", ".bdf", ".vhdr", ".set")
VOLTS = "V"

_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What MNE's readers raise on files that are not whole."""


def read_mne(path: Path) -> RawRecording:
    """Read a recording through MNE; its channels are in volts.

    Raises:
        RecordingError: unreadable, or without EEG channels.
    """
    if not path.exists():
        raise RecordingError(f"{path}: no such recording")
    import mne  # offline only

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = mne.io.read_raw(str(path), preload=True, verbose="CRITICAL")
            kinds = raw.get_channel_types()
            wanted = "eeg" if "eeg" in kinds else "misc"
            picks = [k for k, kind in enumerate(kinds) if kind == wanted]
            values = raw.get_data(picks=picks, verbose="CRITICAL").T if picks else np.empty((0, 0))
            notes = raw.annotations
            onsets = raw.time_as_index(notes.onset, use_rounding=True, origin=notes.orig_time)
            markers = [(str(t), float(k)) for t, k in zip(notes.description, onsets, strict=True)]
            markers.sort(key=lambda pair: pair[1])
            labels = tuple(raw.ch_names[k] for k in picks)
            rate_hz = float(raw.info["sfreq"])
    except _BROKEN as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise RecordingError(f"{path}: not a readable recording ({said})") from None
    if not picks:
        raise RecordingError(f"{path}: no EEG channels; it has {', '.join(sorted(set(kinds)))}")
    return RawRecording(
        name=path.stem,
        source_id=path.stem,
        rate_hz=rate_hz,
        labels=labels,
        units=(VOLTS,) * len(labels),
        values=values,
        stamps=None,
        markers=markers,
    )
