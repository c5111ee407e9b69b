"""Fits a speller to one person and measures, on trials it never saw, how well it reads them.

Everything that is chosen from data (temperatures, the confidence map) is chosen from held-out
scores, and beside every accuracy stand its interval, chance, and the same fit to shuffled labels.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.speller import SpellerFit, fit_speller, log_softmax
from models.speller_validation import (
    fit_temperature,
    held_out_scores,
    make_folds,
    shuffled_accuracy,
)
from pipeline.errors import RecordingError
from pipeline.spec import Band, EventWindow, PipelineSpec, SelectionDecoder
from tools.recordings.labelled_trials import (
    available_samples,
    check_alike,
    choose_trials,
    cut_windows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.speller_validation import Fit
    from tools.recordings.labelled_trials import Recording, Trial
    from tools.recordings.layout import SsvepLayout

LONGEST_S = 1.0
CHECKPOINT_S = 0.1
FIRST_CHECKPOINT_S = 0.2
N_SHUFFLES = 20
PASS_THROUGH = Band(low_hz=None, high_hz=None, sos=((1.0, 0.0, 0.0, 1.0, 0.0, 0.0),))
"""The speller's own filter lies inside the window: nothing from before the window rings in it."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Windows ``(n_trials, n_samples, n_inputs)`` µV, and each one's symbol and run as indices.

    Windows are 1.0 s long even where less is to be decoded: there is more to learn from.

    ``n_skipped`` labelled trials were left out: too short, or with a gap in the window.
    """

    windows: NDArray[np.float32]
    labels: NDArray[np.intp]
    runs: NDArray[np.intp]
    n_skipped: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted speller and what was measured on held-out trials.

    ``scores`` are calibrated log-posteriors, ``(n_trials, n_checkpoints, n_symbols)``; ``shuffled``
    the accuracies at each checkpoint under shuffled labels, ``(n_shuffles, n_checkpoints)``.
    """

    spec: PipelineSpec
    window: EventWindow
    fit: SpellerFit
    data: TrainingSet
    folds: NDArray[np.intp]
    scores: NDArray[np.float64]
    shuffled: NDArray[np.float64]
    run_names: tuple[str, ...]

    @property
    def leaves_runs_out(self) -> bool:
        """Whether folds are whole recordings."""
        return bool(np.array_equal(self.folds, self.data.runs)) and len(self.run_names) > 1


def calibrate_ssvep(
    recordings: Sequence[Recording],
    layout: SsvepLayout,
    *,
    max_s: float | None = None,
    trials: frozenset[int] | None = None,
    seed: int = 0,
    n_shuffles: int = N_SHUFFLES,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Calibration:
    """Fit, cross-validate and calibrate.

    Args:
        recordings: of one person, rate and montage.
        layout: what the labels stand for.
        max_s: seconds of EEG from onset + offset; None for 1.0 or what the trials hold.
        trials: numbers of the trials to use in each recording, None for all.
        seed: of the folds (where they are by trial) and the shuffles.
        n_shuffles: how many times labels are shuffled for the control.
        on_progress: told how many of ``n_shuffles + 2`` steps are done.

    Raises:
        RecordingError: the recordings do not fit each other, the layout or ``max_s``.
    """
    check_alike(recordings)
    chosen = [choose_trials(recording, trials) for recording in recordings]
    _check_labels(recordings, chosen, layout)
    window = choose_window(recordings, chosen, max_s=max_s, delay_s=layout.response_delay_s)
    spec = make_spec(recordings[0], layout, window=window)
    data = _cut(recordings, chosen, spec, window)
    fit: Fit = functools.partial(
        fit_speller,
        rate_hz=spec.rate_hz,
        frequencies_hz=tuple(s.frequency_hz for s in layout.symbols),
        checkpoints_samples=window.checkpoints_samples,
    )
    folds = make_folds(data.labels, data.runs, seed=seed)
    scores = held_out_scores(data.windows, data.labels, folds, fit=fit)
    on_progress(1)
    rng = np.random.default_rng(seed)
    shuffled = []
    for n_done in range(n_shuffles):
        shuffled.append(shuffled_accuracy(data.windows, data.labels, folds, fit=fit, rng=rng))
        on_progress(2 + n_done)
    temperature = fit_temperature(scores, data.labels)
    final = replace(fit(data.windows, data.labels), temperature=temperature)
    on_progress(n_shuffles + 2)
    return Calibration(
        spec=spec,
        window=window,
        fit=final,
        data=data,
        folds=folds,
        scores=log_softmax(scores / temperature[:, np.newaxis]),
        shuffled=np.array(shuffled).reshape(n_shuffles, len(window.checkpoints_samples)),
        run_names=tuple(r.name for r in recordings),
    )


def make_spec(recording: Recording, layout: SsvepLayout, *, window: EventWindow) -> PipelineSpec:
    """Return the pipeline of a speller: raw windows, one decision a stimulus."""
    foreign = not layout.stimulus.startswith("stim:")
    return PipelineSpec(
        rate_hz=recording.rate_hz,
        channels=recording.channels,
        bands=(PASS_THROUGH,),
        window=window,
        decoder=SelectionDecoder(scores="symbol", max_stimuli=1),
        vocabulary=layout.vocabulary,
        markers={layout.stimulus: "stim:on"} if foreign else {},
    )


def choose_window(
    recordings: Sequence[Recording],
    chosen: Sequence[Sequence[Trial]],
    *,
    max_s: float | None,
    delay_s: float,
) -> EventWindow:
    """Return the window: ``max_s`` long, or 1.0 s, or what nine trials of ten hold.

    It begins ``delay_s`` after the stimulus.

    Raises:
        RecordingError: more than one trial in ten is shorter than ``max_s``, or than a first look.
    """
    rate_hz = recordings[0].rate_hz
    offset = round(delay_s * rate_hz)
    held_s = held_samples(chosen, offset_samples=offset) / rate_hz
    length_s = min(LONGEST_S, held_s) if max_s is None else max_s
    if max_s is not None and max_s > held_s + 1e-9:
        raise RecordingError(
            f"--max-s {max_s:g}: the trials hold {held_s:.2f} s of EEG from {delay_s:g} s after the"
            " stimulus, wanted no more than that"
        )
    if length_s < FIRST_CHECKPOINT_S - 1e-9:
        raise RecordingError(
            f"{recordings[0].name}: {length_s:.2f} s of EEG from {delay_s:g} s after the stimulus,"
            f" wanted at least {FIRST_CHECKPOINT_S} s"
        )
    n_looks = int((length_s - FIRST_CHECKPOINT_S) / CHECKPOINT_S + 1e-6) + 1
    looks_s = [FIRST_CHECKPOINT_S + k * CHECKPOINT_S for k in range(n_looks)]
    if max_s is not None:
        looks_s = sorted({*looks_s, max_s})
    lengths = sorted({int(look_s * rate_hz + 1e-6) for look_s in looks_s})
    return EventWindow(
        offset_samples=offset, length_samples=lengths[-1], checkpoints_samples=tuple(lengths)
    )


def held_samples(chosen: Sequence[Sequence[Trial]], *, offset_samples: int) -> int:
    """Return how many samples from onset + offset on nine trials of ten hold."""
    held = [available_samples(t, offset_samples=offset_samples) for ts in chosen for t in ts]
    return int(np.quantile(held, 0.1, method="lower"))


def _check_labels(
    recordings: Sequence[Recording], chosen: Sequence[Sequence[Trial]], layout: SsvepLayout
) -> None:
    rate_hz = recordings[0].rate_hz
    for key in layout.symbols:
        if key.frequency_hz >= rate_hz / 2:
            raise RecordingError(
                f"layout: symbol {key.symbol!r} flickers at {key.frequency_hz:g} Hz, wanted less"
                f" than half the recording's {rate_hz:g} Hz"
            )
    vocabulary = set(layout.vocabulary)
    for recording, trials in zip(recordings, chosen, strict=True):
        if not trials:
            raise RecordingError(
                f"{recording.name}: none of the chosen trials has a label: and a {layout.stimulus}"
                f" marker ({len(recording.trials)} trials in all), wanted some to learn from"
            )
        unknown = sorted({t.label or "" for t in trials} - vocabulary)
        if unknown:
            raise RecordingError(
                f"{recording.name}: label {unknown[0]!r} is not a symbol of the layout"
                + (f", nor are {len(unknown) - 1} more" if len(unknown) > 1 else "")
            )


def _cut(
    recordings: Sequence[Recording],
    chosen: Sequence[Sequence[Trial]],
    spec: PipelineSpec,
    window: EventWindow,
) -> TrainingSet:
    """Return the windows of all recordings.

    Raises:
        RecordingError: a symbol has fewer than two usable trials: one to learn from, one to test.
    """
    windows, labels, runs = [], [], []
    n_trials = 0
    held = held_samples(chosen, offset_samples=window.offset_samples)
    n_samples = max(window.length_samples, min(held, round(LONGEST_S * spec.rate_hz)))
    for run, (recording, trials) in enumerate(zip(recordings, chosen, strict=True)):
        cut, kept = cut_windows(
            recording,
            trials,
            spec=spec,
            offset_samples=window.offset_samples,
            n_samples=n_samples,
        )
        windows.append(cut)
        used = [t for t, keep in zip(trials, kept, strict=True) if keep]
        labels += [spec.vocabulary.index(t.label or "") for t in used]
        runs += [run] * len(used)
        n_trials += len(trials)
    counts = np.bincount(labels, minlength=len(spec.vocabulary))
    rarest = int(counts.argmin())
    if counts[rarest] < 2:
        raise RecordingError(
            f"{recordings[0].name}: symbol {spec.vocabulary[rarest]!r} has {counts[rarest]} usable"
            f" trials in {len(recordings)} recordings, wanted 2 or more of every symbol"
        )
    return TrainingSet(
        np.concatenate(windows),
        np.array(labels, dtype=np.intp),
        np.array(runs, dtype=np.intp),
        n_skipped=n_trials - len(labels),
    )
