"""What MNE reads: FIF, EDF, BDF, BrainVision, EEGLAB. Annotations are the markers."""

from __future__ import annotations

import configparser
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import RecordingError
from runtime.recordings.check import check_before_mne
from runtime.recordings.damage import DAMAGE
from runtime.recordings.raw import RawRecording

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".fif", ".fif.gz", ".edf", ".bdf", ".vhdr", ".set")
VOLTS = "V"
ANONYMOUS = ("0", "X")
"""How MNE and EDF+ write that nobody says who it was."""
OUR_NAMES = ("trial:", "stim:", "label:", "text:", "control:")
CRASHING = (".set",)
"""What is read in a process of its own: scipy's reader of MATLAB files crashes on damaged ones."""


def read_mne(path: Path) -> RawRecording:
    """Read a recording through MNE; its channels are in volts.

    Raises:
        RecordingError: unreadable, or without EEG channels.
    """
    if not path.exists():
        raise RecordingError(f"{path}: no such recording")
    check_before_mne(path)
    if path.suffix.lower() not in CRASHING:
        return _read(path)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        try:
            return apart.submit(_read, path).result()
        except BrokenProcessPool:
            raise RecordingError(f"{path}: damaged so that its reader crashed") from None


def _read(path: Path) -> RawRecording:
    import mne  # offline only

    with _Fence(path):
        raw = mne.io.read_raw(str(path), preload=True, verbose="CRITICAL")
        kinds = raw.get_channel_types()
        wanted = "eeg" if "eeg" in kinds else "misc"
        picks = [k for k, kind in enumerate(kinds) if kind == wanted]
        values = raw.get_data(picks=picks, verbose="CRITICAL").T if picks else np.empty((0, 0))
        markers = _markers(raw)
        labels = tuple(raw.ch_names[k] for k in picks)
        rate_hz = float(raw.info["sfreq"])
        subject = str((raw.info["subject_info"] or {}).get("his_id") or "").strip()
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
        subject="" if subject in ANONYMOUS else subject,
    )


def _markers(raw: Any) -> list[tuple[str, float]]:
    """Return the annotations as markers, each with its sample index, in order.

    A ``text:`` that lasts longer than a sample is given its ``text:end``, unless the file marks
    ends itself. BrainVision says before a slash what kind of marker it is; before ours it is left
    out.
    """
    notes = raw.annotations
    texts = [_without_kind(str(text)) for text in notes.description]
    starts = raw.time_as_index(notes.onset, use_rounding=True, origin=notes.orig_time)
    stops = raw.time_as_index(
        notes.onset + notes.duration, use_rounding=True, origin=notes.orig_time
    )
    spans = list(zip(texts, starts, stops, strict=True))
    marks_ends = any(text == "text:end" and stop - start <= 1 for text, start, stop in spans)
    placed = [(float(start), True, text) for text, start, _ in spans]
    if not marks_ends:
        placed += [
            (float(stop), False, "text:end")
            for text, start, stop in spans
            if text.startswith("text:") and stop - start > 1
        ]
    placed.sort(key=lambda entry: entry[:2])  # at one sample a span ends before the next begins
    return [(text, at) for at, _, text in placed]


def _without_kind(text: str) -> str:
    kind, slash, rest = text.partition("/")
    ours = rest.startswith(OUR_NAMES) and ":" not in kind
    return rest if slash and ours else text


class _Fence:
    """Turns what MNE raises on a damaged file into our one sentence.

    Some of its readers raise ``Exception`` itself; subclasses we do not know still pass.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._quiet = warnings.catch_warnings()

    def __enter__(self) -> None:
        self._quiet.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        self._quiet.__exit__(None, None, None)
        from scipy.io.matlab import MatReadError  # EEGLAB files are MATLAB's

        if kind is Exception or isinstance(error, (*DAMAGE, configparser.Error, MatReadError)):
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise RecordingError(f"{self._path}: not a readable recording ({said})") from None
