"""Labelled recordings, described: who, when, which samples mean which text; no samples are kept.

Reading checks everything once. What cannot be used is left out and told; too much of it stops the
reading. Samples are read again when they are needed (:mod:`tools.training.data.cache`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from runtime.recordings.source import RecordingSource
from tools.recordings.digests import digests, parts_of, told_simulated
from tools.recordings.signal import read_signal
from tools.training.data.bids import entities, events_path, find_recordings, read_events
from tools.training.data.labelled_text import find_spans
from tools.training.data.problems import Problems
from tools.training.data.span_checks import fit_spans, flat_channels

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from pipeline.values import Samples
    from tools.recordings.signal import Signal
    from tools.training.data.labelled_text import FoundSpans, TextSpan
    from tools.training.data.settings import DataSettings


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recording: where, whose, and its spans of text in order.

    ``lost`` are samples that may hold a text nobody can use: no example, and no rest. ``content``
    is a digest of its samples as they are read; ``files`` are all that it is kept in.
    """

    path: Path
    files: tuple[Path, ...]
    content: str
    subject: str
    session: str
    rate_hz: float
    channels: tuple[str, ...]
    n_samples: int
    spans: tuple[TextSpan, ...]
    lost: tuple[tuple[int, int], ...] = ()
    is_simulated: bool = False

    @property
    def whose(self) -> str:
        """The person's session, or the recording itself where nothing says which it was."""
        return f"{self.subject} {self.session or self.path.name}"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Recordings of one rate and one montage, and a line for each thing that was left out."""

    recordings: tuple[Recorded, ...]
    problems: tuple[str, ...]

    @property
    def rate_hz(self) -> float:
        """The rate of all of them."""
        return self.recordings[0].rate_hz

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels of all of them, in order."""
        return self.recordings[0].channels

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every character of every text, in order."""
        return tuple(sorted({s for r in self.recordings for span in r.spans for s in span.text}))

    def digests(self) -> dict[str, str]:
        """Return name and SHA-256 of every file; of folders only what tells names apart."""
        files = (file for recorded in self.recordings for file in recorded.files)
        simulated = (one.path.name for one in self.recordings if one.is_simulated)
        return digests(files) | told_simulated(simulated)


def read_corpus(
    paths: Sequence[Path],
    settings: DataSettings,
    *,
    allowed: Collection[str] | None = None,
    on_done: Callable[[int], None] | None = None,
) -> Corpus:
    """Read and check recordings; a folder stands for every ``*_eeg`` recording below.

    Args:
        paths: recordings and folders.
        settings: how to read and what to refuse.
        allowed: characters that texts may have; None for any.
        on_done: hears how many recordings are read.

    Raises:
        RecordingError: nothing can be used, or too much cannot; says what is wrong with each.
    """
    problems = Problems(limit=settings.max_errors)
    described: list[Recorded] = []
    found = [recording for path in paths for recording in find_recordings(path)]
    for number, path in enumerate(found, start=1):
        try:
            recorded, faults = describe(path, settings, allowed=allowed)
        except RecordingError as error:
            problems.add(str(error))
        else:
            for fault in faults:
                problems.add(f"{path}: {fault}")
            if recorded.spans:
                described.append(recorded)
        if on_done is not None:
            on_done(number)
    alike = _alike(_once(described, problems), problems)
    if not alike:
        listed = "".join(f"\n  {line}" for line in problems.lines)
        raise RecordingError(f"no text to learn from in {len(found)} recordings{listed}")
    return Corpus(tuple(alike), problems.lines)


def describe(
    path: Path, settings: DataSettings, *, allowed: Collection[str] | None = None
) -> tuple[Recorded, tuple[str, ...]]:
    """Read one recording; return what it holds, and what of it was left out.

    Raises:
        RecordingError: it cannot be used at all.
    """
    source = RecordingSource(path)
    signal = read_signal(source)
    flat = np.flatnonzero(flat_channels(signal.samples))
    if len(flat) > settings.n_flat:
        names = ", ".join(signal.info.channels[k] for k in flat[:6])
        raise RecordingError(
            f"{path}: {len(flat)} of its channels never change ({names}), wanted at most"
            f" {settings.n_flat} (n_flat)"
        )
    events = events_path(path)
    found = _spans(signal, events, settings)
    fit, unfit = fit_spans(signal, found.spans, settings, allowed=allowed)
    refused = sorted((span.start, span.stop) for span in {*found.spans} - {*fit})
    if not found.spans and not found.faults:
        raise RecordingError(f"{path}: no text: markers in it, wanted labelled text")
    subject, session = who_of(path, source.subject, settings.people)
    files = (*parts_of(path), *((events,) if events is not None else ()))
    recorded = Recorded(
        path=path,
        files=files,
        content=content_digest(signal.samples),
        subject=subject,
        session=session,
        rate_hz=signal.info.rate_hz,
        channels=signal.info.channels,
        n_samples=len(signal.samples),
        spans=fit,
        lost=(*found.lost, *refused),
        is_simulated=signal.info.is_simulated,
    )
    return recorded, (*found.faults, *unfit)


def _spans(signal: Signal, events: Path | None, settings: DataSettings) -> FoundSpans:
    if events is None:
        return find_spans(signal.markers)
    return read_events(
        events,
        rate_hz=signal.info.rate_hz,
        column=settings.text_column,
        prefix=settings.text_prefix,
    )


def who_of(path: Path, recorded_subject: str, people: dict[str, str]) -> tuple[str, str]:
    """Return subject and session of a recording; the subject is empty where nothing tells.

    First ``people`` are asked, then the names as BIDS has them, then the recording itself. A
    session that nothing tells is that of the file's own name, unless BIDS names the subject alone.
    """
    subject, session = entities(path)
    if not session and not subject:
        session = path.name.removesuffix(path.suffix)
    subject = subject or recorded_subject
    for pattern, who in people.items():
        if fnmatchcase(path.name, pattern):
            named, _, when = who.partition("/")
            return named or subject, when or session
    return subject, session


def content_digest(samples: Samples) -> str:
    """Return a digest of samples ``(n_samples, n_channels)`` and their shape."""
    digest = hashlib.sha256(str(samples.shape).encode())
    digest.update(np.ascontiguousarray(samples).data)
    return digest.hexdigest()


def _once(described: Sequence[Recorded], problems: Problems) -> list[Recorded]:
    """Return each recording once: a copy in another part would be known by heart."""
    first: dict[str, Recorded] = {}
    for recorded in described:
        earlier = first.setdefault(recorded.content, recorded)
        if earlier is not recorded:
            problems.add(f"{recorded.path}: holds the samples of {earlier.path}, wanted each once")
    return list(first.values())


def _alike(described: Sequence[Recorded], problems: Problems) -> list[Recorded]:
    """Return the recordings of the rate and the channels that most have."""
    kinds = Counter((recorded.rate_hz, recorded.channels) for recorded in described)
    usual = max(kinds, key=lambda kind: kinds[kind], default=None)
    alike: list[Recorded] = []
    for recorded in described:
        if (recorded.rate_hz, recorded.channels) == usual:
            alike.append(recorded)
        elif usual is not None:
            problems.add(f"{recorded.path}: {_difference(recorded, *usual)}")
    return alike


def _difference(recorded: Recorded, rate_hz: float, channels: tuple[str, ...]) -> str:
    if recorded.rate_hz != rate_hz:
        return f"{recorded.rate_hz:g} Hz, wanted {rate_hz:g} Hz as most have"
    differing = sorted(set(recorded.channels) ^ set(channels))
    what = f"differ in {', '.join(differing[:6])}" if differing else "are in another order"
    return (
        f"its {len(recorded.channels)} channels {what}, wanted the {len(channels)} that most have"
    )
