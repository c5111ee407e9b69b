"""A recording to be evaluated: what the chain is given of it, and the truth that it never sees.

Truth is a text between ``text:<string>`` and ``text:end`` for bundles that write running text (or a
row of the table of events beside a BIDS recording), and the ``label:<symbol>`` of a trial for those
that select.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import RecordingError
from pipeline.markers import PAUSE, RESUME, STIMULUS, TRIAL_START, split_marker
from pipeline.spec import SelectionDecoder, SlidingWindow
from runtime.config import PAUSE_MARKER, RESUME_MARKER
from runtime.engine import check_fit
from runtime.recordings.source import RecordingSource
from runtime.source import drain
from tools.console.trials import check_trials
from tools.recordings.digests import sample_digests
from tools.recordings.labelled_trials import find_trials
from tools.training.data.bids import events_path, read_events
from tools.training.data.corpus import content_digest, who_of
from tools.training.data.labelled_text import find_spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.values import Event, Marker, Samples
    from runtime.engine import Engine
    from tools.training.data.labelled_text import FoundSpans

STEP_S = 0.04
"""How much the chain is given at once where any sample may end a window."""

STIMULUS_ON = f"{STIMULUS}:on"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples ``[first, stop)`` and what became known within them, as the source handed it over."""

    first: int
    stop: int
    markers: tuple[Marker, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One text or one trial of which the truth is known; ``number`` is as the chain counts."""

    number: int
    reference: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Reel:
    """One recording, read whole.

    ``samples`` are raw µV (n_samples, n_channels) of the bundle's channels, and ``content`` is
    their digest; ``files`` are those of the files that hold them. ``items`` are in order; ``lost``
    are samples that may hold a text nobody can tell, ``faults`` a line for each. ``session`` is
    empty where neither the recording nor its name says one. ``is_simulated``: nobody was recorded.
    """

    path: Path
    name: str
    subject: str
    session: str
    content: str
    files: frozenset[str]
    rate_hz: float
    n_samples: int
    samples: Samples
    chunks: tuple[Chunk, ...]
    marker_names: Mapping[str, str]
    items: tuple[Item, ...] = ()
    lost: tuple[tuple[int, int], ...] = ()
    faults: tuple[str, ...] = ()
    is_simulated: bool = False

    @property
    def whose(self) -> str:
        """The person's session, or the recording itself where nothing says which it was."""
        return f"{self.subject} {self.session or self.name}"


def read_reel(
    path: Path, engine: Engine, *, trials: frozenset[int] | None = None, subject: str = ""
) -> Reel:
    """Read a recording of any format for an engine.

    Args:
        path: the file.
        engine: says which channels, which rate and which kind of truth.
        trials: numbers of those that are scored, None for all.
        subject: whose it is, where the recording does not say.

    Raises:
        RecordingError: it cannot be used, or holds no truth.
        BundleError: it has another rate.
        UsageError: a trial is asked for that it lacks.
    """
    spec, window = engine.spec, engine.spec.window
    step = window.hop_samples if isinstance(window, SlidingWindow) else round(STEP_S * spec.rate_hz)
    source = RecordingSource(path, channels=spec.channels, chunk_samples=max(1, step))
    chunks: list[Chunk] = []
    pieces: list[Samples] = []
    try:
        info = source.open(None)
        check_fit(engine, info)
        for batch in drain(source):
            stop = batch.first + len(batch.samples)
            chunks.append(Chunk(batch.first, stop, batch.markers, batch.events))
            pieces.append(batch.samples.copy())
    finally:
        source.close()
    samples = np.concatenate(pieces)
    who, session = who_of(path, source.subject, {})
    run = source.run
    pause, resume = (run.pause_marker, run.resume_marker) if run else (PAUSE_MARKER, RESUME_MARKER)
    reel = Reel(
        path=path,
        name=path.name,
        subject=who or subject,
        session="" if session == path.name.removesuffix(path.suffix) else session,
        content=content_digest(samples),
        files=sample_digests(path),
        rate_hz=spec.rate_hz,
        n_samples=len(samples),
        samples=samples,
        chunks=tuple(chunks),
        marker_names={**spec.markers, pause: PAUSE, resume: RESUME},
        is_simulated=info.is_simulated,
    )
    return _with_truth(reel, engine, trials)


def _with_truth(reel: Reel, engine: Engine, trials: frozenset[int] | None) -> Reel:
    names = reel.marker_names
    markers = [
        replace(marker, text=names.get(marker.text, marker.text))
        for chunk in reel.chunks
        for marker in chunk.markers
    ]
    if isinstance(engine.spec.decoder, SelectionDecoder):
        return _with_trials(reel, markers, engine, trials)
    return _with_texts(reel, markers, engine)


def _with_trials(
    reel: Reel, markers: Sequence[Marker], engine: Engine, chosen: frozenset[int] | None
) -> Reel:
    decoder = engine.spec.decoder
    one_each = isinstance(decoder, SelectionDecoder) and decoder.max_stimuli == 1
    if not one_each and not any(marker.text == TRIAL_START for marker in markers):
        raise RecordingError(
            f"{reel.path}: no trial:start markers in it, wanted them, for the bundle sums up"
            " several stimuli"
        )
    alike = [
        replace(m, text=STIMULUS_ON) if split_marker(m.text)[0] == STIMULUS else m for m in markers
    ]
    found = find_trials(alike, stimulus=STIMULUS_ON, n_samples=reel.n_samples)
    check_trials(chosen, n_trials=len(found), where=str(reel.path))
    items = tuple(
        Item(t.number, t.label, t.start, t.stop or reel.n_samples)
        for t in found
        if t.label is not None and (chosen is None or t.number in chosen)
    )
    if not items:
        raise RecordingError(
            f"{reel.path}: no label: markers in the chosen of its {len(found)} trials, wanted what"
            f" was meant{_instead(markers, 'text', of='running text')}"
        )
    meant = sorted({item.reference for item in items})
    strange = [symbol for symbol in meant if symbol not in engine.spec.vocabulary]
    if len(strange) == len(meant):
        raise RecordingError(
            f"{reel.path}: label {strange[0]!r} is not a symbol of the bundle, nor is any other"
            f" of its labels; wanted some of {', '.join(engine.spec.vocabulary[:8])} …"
        )
    faults = [f"label {symbol!r} is not a symbol of the bundle: it is wrong" for symbol in strange]
    return replace(reel, items=items, faults=tuple(faults))


def _with_texts(reel: Reel, markers: Sequence[Marker], engine: Engine) -> Reel:
    found = _spans(reel, markers, engine)
    whole = [s for s in found.spans if 0 <= s.start < s.stop <= reel.n_samples]
    cut = [s for s in found.spans if s not in whole]
    faults = [*found.faults, *(f"text at samples {s.start} to {s.stop} is not whole" for s in cut)]
    if not whole:
        why = f" ({faults[0]})" if faults else _instead(markers, "label", of="trials")
        raise RecordingError(f"{reel.path}: no text: markers in it, wanted what was meant{why}")
    return replace(
        reel,
        items=tuple(Item(k, s.text, s.start, s.stop) for k, s in enumerate(whole)),
        lost=(*found.lost, *((s.start, s.stop) for s in cut)),
        faults=tuple(f"left out: {fault}" for fault in faults),
    )


def _spans(reel: Reel, markers: Sequence[Marker], engine: Engine) -> FoundSpans:
    """Return the spans; a table of events is read as training read it."""
    table = events_path(reel.path)
    if table is None:
        return find_spans(markers)
    given = engine.bundle.manifest.provenance.recipe.get("data", {})
    return read_events(
        table,
        rate_hz=reel.rate_hz,
        column=given.get("text_column"),
        prefix=given.get("text_prefix", "text:"),
    )


def _instead(markers: Sequence[Marker], kind: str, *, of: str) -> str:
    has = any(split_marker(marker.text)[0] == kind for marker in markers)
    return f"; it has {kind}: markers, which are of {of}" if has else ""
