"""Labelled trials of recordings in numbers: classes, lengths, people and sessions, and a split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import RecordingError
from pipeline.markers import TRIAL_START
from runtime.recordings.source import RecordingSource
from tools.recordings.labelled_trials import find_trials
from tools.recordings.signal import read_signal
from tools.training.data.bids import find_recordings
from tools.training.data.corpus import who_of
from tools.training.data.problems import Problems
from tools.training.data.splits import HELD_OUT, TRAINING, assign, group_of
from tools.training.data.statistics import UNKNOWN_SUBJECT, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tools.training.data.settings import DataSettings

STIMULUS = "stim:on"
"""Where a recording has no ``trial:start``, a trial is one of these."""


@dataclass(frozen=True, slots=True)
class LabelledTrial:
    """One trial: the symbol that was meant, whose it is, and for how long it goes on."""

    recording: str
    number: int
    text: str
    subject: str
    session: str
    length_s: float


def read_trials(
    paths: Sequence[Path],
    settings: DataSettings,
    *,
    on_done: Callable[[int], None] | None = None,
) -> tuple[tuple[LabelledTrial, ...], tuple[str, ...]]:
    """Return the labelled trials of recordings and folders, and a line for what was left out.

    Raises:
        RecordingError: there are none, or too much is wrong; says what.
    """
    problems = Problems(limit=settings.max_errors)
    found: list[LabelledTrial] = []
    recordings = [recording for path in paths for recording in find_recordings(path)]
    for number, path in enumerate(recordings, start=1):
        try:
            own, n_without = _trials(path, settings)
        except RecordingError as error:
            problems.add(str(error))
        else:
            found += own
            if n_without or not own:
                n_all = len(own) + n_without
                problems.add(f"{path}: {n_without} of {n_all} trials have no label, wanted one")
        if on_done is not None:
            on_done(number)
    if not found:
        listed = "".join(f"\n  {line}" for line in problems.lines)
        raise RecordingError(f"no labelled trials in {len(recordings)} recordings{listed}")
    return tuple(found), problems.lines


def _trials(path: Path, settings: DataSettings) -> tuple[list[LabelledTrial], int]:
    source = RecordingSource(path)
    signal = read_signal(source)
    subject, session = who_of(path, source.subject, settings.people)
    trials = find_trials(signal.markers, stimulus=STIMULUS, n_samples=len(signal.samples))
    starts = [marker.index for marker in signal.markers if marker.text == TRIAL_START]
    starts = starts or [marker.index for marker in signal.markers if marker.text == STIMULUS]
    found = [
        LabelledTrial(
            recording=str(path),
            number=trial.number,
            text=trial.label,
            subject=subject,
            session=session,
            length_s=((trial.stop or start) - start) / signal.info.rate_hz,
        )
        for start, trial in zip(starts, trials, strict=True)
        if trial.label is not None
    ]
    return found, len(trials) - len(found)


def split_trials(
    trials: Sequence[LabelledTrial], settings: DataSettings
) -> dict[str, tuple[int, ...]]:
    """Return the indices of each part, every class shared alike; by sentence means trial by trial.

    Raises:
        RecordingError: there is too little to share.
    """
    by = settings.split_by
    if by == "sentence":
        groups = [f"{trial.recording} {trial.number}" for trial in trials]
    else:
        groups = [group_of(trial, by=by) for trial in trials]
    shares = {TRAINING: 1.0 - settings.held_out, HELD_OUT: settings.held_out}
    what = "trial" if by == "sentence" else by
    strata = [trial.text for trial in trials]
    placed = assign(groups, strata, shares=shares, seed=settings.split_seed, what=what)
    return {name: tuple(k for k, part in enumerate(placed) if part == name) for name in shares}


def trial_statistics(
    trials: Sequence[LabelledTrial], parts: Mapping[str, Sequence[int]], problems: Sequence[str]
) -> dict[str, Any]:
    """Return the statistics as plain values, for JSON."""
    people = sorted({(trial.subject, trial.session) for trial in trials})
    sessions = []
    for subject, session in people:
        own = [t for t in trials if (t.subject, t.session) == (subject, session)]
        row = {
            "subject": subject or UNKNOWN_SUBJECT,
            "session": session,
            "recordings": len({trial.recording for trial in own}),
        }
        sessions.append(row | _classes(own))
    return {
        "recordings": len({trial.recording for trial in trials}),
        **_classes(trials),
        "trial_s": spread([trial.length_s for trial in trials]),
        "sessions": sessions,
        "split": {name: _classes([trials[k] for k in own]) for name, own in parts.items()},
        "problems": list(problems),
    }


def _classes(trials: Sequence[LabelledTrial]) -> dict[str, Any]:
    counts = Counter(trial.text for trial in trials)
    return {
        "trials": len(trials),
        "classes": {
            label: {"count": count, "share": count / len(trials)}
            for label, count in sorted(counts.items())
        },
    }


def trial_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the statistics as lines of text."""
    length = found["trial_s"]
    shares = [f"{label!r} {of['share']:6.2%}" for label, of in found["classes"].items()]
    lines = [
        f"{found['recordings']} recordings, {found['trials']} labelled trials of"
        f" {length['least']:.3g} to {length['most']:.3g} s (median {length['median']:.3g})",
        "",
        f"{len(found['classes'])} classes",
        *("  " + "   ".join(shares[k : k + 6]) for k in range(0, len(shares), 6)),
        "",
        f"{'subject':12} {'session':24} {'recordings':>10} {'trials':>7} {'classes':>8}  fewest",
    ]
    for row in found["sessions"]:
        head = f"{row['subject']:12} {row['session']:24} {row['recordings']:10}"
        lines.append(f"{head} {_class_line(row)}")
    lines.append("")
    lines += [
        f"{name:12} {'':24} {'':10} {_class_line(row)}" for name, row in found["split"].items()
    ]
    return lines


def _class_line(row: Mapping[str, Any]) -> str:
    fewest = min((of["count"] for of in row["classes"].values()), default=0)
    return f"{row['trials']:7} {len(row['classes']):8} {fewest:7}"
