"""Labelled trials of recordings: which samples follow which stimulus, and what the person meant.

A trial is the nth ``trial:start`` of its recording, from 0 (without such markers, the nth
stimulus); its first stimulus counts. Truth is read here, offline, and nowhere near the chain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.chain import SETTLE_S, TAINTING
from pipeline.errors import RecordingError
from pipeline.filters import FilterChain
from pipeline.markers import TRIAL_END, TRIAL_START, split_marker
from tools.recordings.signal import read_signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.spec import PipelineSpec
    from pipeline.values import Marker, Samples
    from runtime.source import Source


@dataclass(slots=True)
class Trial:
    """One trial; all are sample indices, ``stop`` is the next trial's start."""

    number: int
    onset: int | None = None
    label: str | None = None
    stop: int | None = None
    start: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Recording:
    """What one recording holds: raw µV, trials, and spans of samples that are no signal."""

    name: str
    rate_hz: float
    channels: tuple[str, ...]
    samples: Samples
    trials: tuple[Trial, ...]
    spoilt: tuple[tuple[int, int], ...]
    is_simulated: bool = False

    @property
    def labelled(self) -> tuple[Trial, ...]:
        """Trials with a stimulus and a label."""
        return tuple(t for t in self.trials if t.onset is not None and t.label is not None)


@dataclass(frozen=True, slots=True)
class Whole:
    """A source read to its end: raw µV, every marker, and spans of samples that are no signal."""

    rate_hz: float
    channels: tuple[str, ...]
    samples: Samples
    markers: tuple[Marker, ...]
    spoilt: tuple[tuple[int, int], ...]
    is_simulated: bool = False


def read_whole(source: Source, *, name: str) -> Whole:
    """Read a source to its end and close it.

    Args:
        source: not yet open; it must end.
        name: of the recording, for messages.

    Raises:
        RecordingError: it cannot be used, or has no samples.
    """
    signal = read_signal(source)
    info, samples = signal.info, signal.samples
    if not len(samples):
        raise RecordingError(f"{name}: no samples in it, wanted EEG")
    settle = round(SETTLE_S * info.rate_hz)
    spoilt = [(e.sample - 1, e.sample + settle) for e in signal.events if e.kind in TAINTING]
    held = np.flatnonzero(~np.isfinite(samples).all(axis=1))
    spoilt += [(int(k), int(k) + 1) for k in held]
    return Whole(
        rate_hz=info.rate_hz,
        channels=info.channels,
        samples=samples,
        markers=signal.markers,
        spoilt=tuple(spoilt),
        is_simulated=info.is_simulated,
    )


def read_recording(source: Source, *, name: str, stimulus: str) -> Recording:
    """Read a source to its end and close it.

    Args:
        source: not yet open; it must end.
        name: of the recording, for messages.
        stimulus: the marker that opens a window.

    Raises:
        RecordingError: it cannot be used, or has no samples.
    """
    whole = read_whole(source, name=name)
    trials = find_trials(whole.markers, stimulus=stimulus, n_samples=len(whole.samples))
    return Recording(
        name=name,
        rate_hz=whole.rate_hz,
        channels=whole.channels,
        samples=whole.samples,
        trials=trials,
        spoilt=whole.spoilt,
        is_simulated=whole.is_simulated,
    )


def find_trials(markers: Sequence[Marker], *, stimulus: str, n_samples: int) -> tuple[Trial, ...]:
    """Return the trials that ``markers`` tell of, in order."""
    has_starts = any(m.text == TRIAL_START for m in markers)
    opener = TRIAL_START if has_starts else stimulus
    trials: list[Trial] = []
    label: str | None = None
    for marker in markers:
        name, symbol = split_marker(marker.text)
        if marker.text == opener:
            if trials and trials[-1].stop is None:
                trials[-1].stop = marker.index
            known = None if has_starts else label
            trials.append(Trial(len(trials), label=known, start=marker.index))
            label = None
        if marker.text == stimulus and trials and trials[-1].onset is None:
            trials[-1].onset = marker.index
        elif marker.text == TRIAL_END and trials and not has_starts:
            trials[-1].stop = marker.index + 1
        elif name == "label" and has_starts and trials:
            trials[-1].label = symbol
        elif name == "label":
            label = symbol
    if trials and trials[-1].stop is None:
        trials[-1].stop = n_samples
    return tuple(trials)


def choose_trials(recording: Recording, numbers: frozenset[int] | None) -> tuple[Trial, ...]:
    """Return the labelled trials among ``numbers`` (None: all)."""
    return tuple(t for t in recording.labelled if numbers is None or t.number in numbers)


def available_samples(trial: Trial, *, offset_samples: int) -> int:
    """Return how many samples from onset + offset on belong to the trial."""
    if trial.onset is None or trial.stop is None:
        return 0
    return max(0, trial.stop - trial.onset - offset_samples)


def cut_windows(
    recording: Recording,
    trials: Sequence[Trial],
    *,
    spec: PipelineSpec,
    offset_samples: int,
    n_samples: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Filter the whole recording as the chain does and cut one window a trial.

    Returns:
        Windows ``(n_kept, n_samples, n_inputs)``, and which trials were kept: those whose
        window lies inside the trial and holds no gap.
    """
    filtered = FilterChain(spec).push(recording.samples)
    windows: list[NDArray[np.float32]] = []
    kept = np.zeros(len(trials), dtype=np.bool_)
    for k, trial in enumerate(trials):
        if available_samples(trial, offset_samples=offset_samples) < n_samples:
            continue
        start = (trial.onset or 0) + offset_samples
        stop = start + n_samples
        if any(first < stop and start < last for first, last in recording.spoilt):
            continue
        kept[k] = True
        windows.append(filtered[start:stop])
    shape = (0, n_samples, filtered.shape[1])
    return np.stack(windows) if windows else np.empty(shape, np.float32), kept


def check_alike(recordings: Sequence[Recording]) -> None:
    """Refuse recordings that one model cannot be fitted to.

    Raises:
        RecordingError: rates or channels differ; names both recordings.
    """
    first = recordings[0]
    for other in recordings[1:]:
        if other.rate_hz != first.rate_hz:
            raise RecordingError(
                f"{other.name}: {other.rate_hz:g} Hz, but {first.name} has {first.rate_hz:g} Hz:"
                " wanted one rate"
            )
        if other.channels != first.channels:
            only = sorted(set(other.channels) ^ set(first.channels))
            what = f"differ in {', '.join(only)}" if only else "are in another order"
            raise RecordingError(
                f"{other.name}: its {len(other.channels)} channels {what} from the"
                f" {len(first.channels)} of {first.name}: wanted the same"
            )
