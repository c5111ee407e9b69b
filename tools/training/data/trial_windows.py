"""Windows of labelled trials for a classifier: one a trial, or one a stimulus of it.

Filtered as the chain filters, cut where the chain would cut, and left out where a gap or missing
samples would have tainted them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from pipeline.filters import FilterChain
from pipeline.markers import TRIAL_START, split_marker
from pipeline.spec import EventWindow
from tools.recordings.labelled_trials import cut_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.spec import PipelineSpec
    from tools.recordings.labelled_trials import Recording, Whole

STIMULUS = "stim"


@dataclass(frozen=True, slots=True)
class TrialWindows:
    """``samples`` (n, n_samples, n_inputs) and what is known of each window.

    ``labels``: the symbol's index; of a stimulus 1 where it was attended to, else 0. ``trials``
    counts through all recordings, ``runs`` is the recording's number. ``groups``: what flashed,
    none where a window is a whole trial. ``n_skipped`` windows were left out.
    """

    samples: NDArray[np.float32]
    labels: NDArray[np.intp]
    trials: NDArray[np.intp]
    runs: NDArray[np.intp]
    groups: tuple[str, ...] = ()
    n_skipped: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> TrialWindows:
        """Return the chosen windows."""
        return replace(
            self,
            samples=self.samples[chosen],
            labels=self.labels[chosen],
            trials=self.trials[chosen],
            runs=self.runs[chosen],
            groups=tuple(g for g, use in zip(self.groups, chosen, strict=False) if use),
        )


def symbol_windows(recordings: Sequence[Recording], spec: PipelineSpec) -> TrialWindows:
    """Return one window a labelled trial.

    Raises:
        RecordingError: a label that is no symbol, or no window at all.
    """
    window = _event_window(spec)
    pieces, labels, trials, runs, n_all = [], [], [], [], 0
    for run, recording in enumerate(recordings):
        cut, kept = cut_windows(
            recording,
            recording.labelled,
            spec=spec,
            offset_samples=window.offset_samples,
            n_samples=window.length_samples,
        )
        used = [t for t, keep in zip(recording.labelled, kept, strict=True) if keep]
        for trial in used:
            labels.append(_index(spec, trial.label or "", recording.name))
            trials.append(n_all + trial.number)
            runs.append(run)
        pieces.append(cut)
        n_all += len(recording.trials)
    n_labelled = sum(len(r.labelled) for r in recordings)
    return _checked(
        TrialWindows(
            np.concatenate(pieces),
            np.array(labels, np.intp),
            np.array(trials, np.intp),
            np.array(runs, np.intp),
            n_skipped=n_labelled - len(labels),
        ),
        recordings[0].name,
    )


def stimulus_windows(
    wholes: Sequence[Whole], names: Sequence[str], spec: PipelineSpec
) -> TrialWindows:
    """Return one window a stimulus of a labelled trial.

    Raises:
        RecordingError: a label that is no symbol, or no window at all.
    """
    window = _event_window(spec)
    pieces, labels, trials, runs, groups, n_skipped = [], [], [], [], [], 0
    number = -1
    for run, (whole, name) in enumerate(zip(wholes, names, strict=True)):
        filtered = FilterChain(spec).push(whole.samples)  # (n_samples, n_inputs)
        label: str | None = None
        for marker in whole.markers:
            kind, symbol = split_marker(marker.text)
            if marker.text == TRIAL_START:
                number, label = number + 1, None
            elif kind == "label":
                _index(spec, symbol, name)
                label = symbol
            if kind != STIMULUS or symbol not in spec.groups or label is None:
                continue
            start = marker.index + window.offset_samples
            stop = start + window.length_samples
            if stop > len(filtered) or any(a < stop and start < b for a, b in whole.spoilt):
                n_skipped += 1
                continue
            pieces.append(filtered[start:stop])
            labels.append(int(label in spec.groups[symbol]))
            trials.append(number)
            runs.append(run)
            groups.append(symbol)
    samples = np.stack(pieces) if pieces else np.empty((0, 1, 1), np.float32)
    return _checked(
        TrialWindows(
            samples,
            np.array(labels, np.intp),
            np.array(trials, np.intp),
            np.array(runs, np.intp),
            tuple(groups),
            n_skipped,
        ),
        names[0],
    )


def _event_window(spec: PipelineSpec) -> EventWindow:
    if not isinstance(spec.window, EventWindow):
        raise TypeError("spec.window: wanted an event window")
    return spec.window


def _index(spec: PipelineSpec, symbol: str, name: str) -> int:
    if symbol not in spec.vocabulary:
        raise RecordingError(f"{name}: label {symbol!r} is not a symbol of the layout")
    return spec.vocabulary.index(symbol)


def _checked(windows: TrialWindows, name: str) -> TrialWindows:
    if not len(windows):
        raise RecordingError(
            f"{name}: no labelled trial whose window is whole ({windows.n_skipped} are not), "
            "wanted some to learn from"
        )
    return windows
