"""Recordings to rows: every one decoded as the bundle says, otherwise, and with other inputs.

A recording is done with before the next is read, so that memory holds no more than has to be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from tools.evaluation.passes.decoding import decode
from tools.evaluation.rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.values import Samples
    from runtime.engine import Engine
    from tools.evaluation.passes.batching import Batching
    from tools.evaluation.passes.control_inputs import ControlInput
    from tools.evaluation.passes.decoding import Decoded, Said
    from tools.evaluation.passes.decodings import Decodings
    from tools.evaluation.passes.reel import Reel
    from tools.evaluation.passes.shelf import Shelf
    from tools.evaluation.passes.speed import Speed

LEAST_TRIALS, LEAST_TEXTS = 8, 100
"""From how many on a recording is a session of its own, within which hypotheses are exchanged.

Texts are exchanged in strata of like length. With few of them a stratum holds long and short ones,
and whatever writes more the longer it hears, noise too, then seems to fit its own references.
"""


@dataclass(slots=True)
class Passes:
    """The rows of all recordings, and how the bundle's own decoding of the EEG went.

    ``speeds`` are of its windows one at a time, as live; ``batched`` of the same model's windows in
    batches, where that can be: then all passes but its own decoding of the EEG go so.
    ``n_outside`` characters were written outside all texts and count as insertions of the nearest,
    ``n_lost`` where nobody can tell what was meant; ``n_abstained`` pieces or trials were withheld.
    """

    rows: list[Row] = field(default_factory=list)
    speeds: list[Speed] = field(default_factory=list)
    batched: list[Speed] = field(default_factory=list)
    n_outside: int = 0
    n_lost: int = 0
    n_abstained: int = 0


@dataclass(frozen=True, slots=True)
class _Pass:
    """One decoding: ``samples`` None for the EEG itself."""

    name: str
    engine: Engine
    samples: Callable[[int, Reel], Samples] | None = None
    batching: Batching | None = None


def make_passes(
    shelf: Shelf,
    decodings: Decodings,
    *,
    inputs: Sequence[ControlInput] = (),
    strangers: Mapping[str, Engine] | None = None,
    batching: Batching | None = None,
    trials: frozenset[int] | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Passes:
    """Decode all recordings in all ways.

    Args:
        shelf: the recordings.
        decodings: of the bundle.
        inputs: what is heard in place of the EEG, decoded as the bundle says.
        strangers: other bundles that hear the EEG, by the control's name.
        batching: of the bundle's windows, None for one at a time throughout.
        trials: numbers of those that are decoded, None for all.
        on_progress: told how many samples are done, over all passes; :func:`n_samples` in all.
    """
    named = {"greedy": decodings.greedy, "without_lm": decodings.without_lm}
    other = [
        _Pass(name, engine, batching=batching)
        for name, engine in named.items()
        if engine is not None
    ]
    instead = [_Pass(one.name, decodings.bundle, one.make, batching) for one in inputs]
    instead += [_Pass(name, engine) for name, engine in (strangers or {}).items()]
    found = Passes()
    listener = _Listener(trials, on_progress, found.batched)
    for number in range(len(shelf.reels)):
        reel = shelf.whole(number)
        own = listener.hear(_Pass("bundle", decodings.bundle), number, reel)
        found.speeds.append(own.speed)
        found.n_outside += own.n_outside
        found.n_lost += own.n_lost
        found.n_abstained += own.n_abstained
        otherwise = {one.name: listener.hear(one, number, reel).said for one in other}
        controls = {one.name: listener.hear(one, number, reel).said for one in instead}
        found.rows += [
            msgspec.structs.replace(
                _row(len(found.rows) + k, reel, k, said),
                controls={name: heard[k].text for name, heard in controls.items()},
                **{name: heard[k].text for name, heard in otherwise.items()},
            )
            for k, said in enumerate(own.said)
        ]
    found.rows = with_sessions(found.rows)
    return found


class _Listener:
    """Decodes, and tells how many samples are done over all passes."""

    def __init__(
        self,
        trials: frozenset[int] | None,
        on_progress: Callable[[int], None],
        batched: list[Speed],
    ) -> None:
        self._trials = trials
        self._batched = batched
        self._on_progress = on_progress
        self._n_done = 0

    def hear(self, one: _Pass, number: int, reel: Reel) -> Decoded:
        """Return what a pass over a recording gives."""
        found = decode(
            one.engine,
            reel,
            samples=None if one.samples is None else one.samples(number, reel),
            trials=self._trials,
            batching=one.batching,
            on_progress=lambda n_samples: self._on_progress(self._n_done + n_samples),
        )
        self._n_done += reel.n_samples
        if one.batching is not None and one.batching.session is not None:
            self._batched.append(found.speed)
        return found


def n_samples(
    shelf: Shelf, decodings: Decodings, *, inputs: Sequence[ControlInput], n_strangers: int
) -> int:
    """Return how many samples :func:`make_passes` hears."""
    n_own = 1 + (decodings.greedy is not None) + (decodings.without_lm is not None)
    return sum(reel.n_samples for reel in shelf.reels) * (n_own + len(inputs) + n_strangers)


def with_sessions(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with sessions: where nothing names one, each recording is its own.

    Unless some of those hold too little for hypotheses to be exchanged within: then they are one
    session together.
    """
    nameless: dict[str, set[str]] = {}
    is_trial = any(row.decided_s is not None or row.posteriors is not None for row in rows)
    for row in rows:
        if not row.session:
            unit = str(row.number) if is_trial else row.reference
            nameless.setdefault(row.recording, set()).add(unit)
    least = LEAST_TRIALS if is_trial else LEAST_TEXTS
    if any(len(units) < least for units in nameless.values()):
        return list(rows)
    return [
        row if row.session else msgspec.structs.replace(row, session=row.recording) for row in rows
    ]


def _row(number: int, reel: Reel, place: int, said: Said) -> Row:
    item, rate_hz = reel.items[place], reel.rate_hz
    decided = said.decided_at
    return Row(
        number=number,
        recording=reel.name,
        samples=(item.start, item.stop),
        start_s=item.start / rate_hz,
        duration_s=(item.stop - item.start) / rate_hz,
        reference=item.reference,
        hypothesis=said.text,
        subject=reel.subject,
        session=reel.session,
        confidence=said.confidence,
        leading=said.leading,
        posteriors=said.posteriors,
        decided_s=None if decided is None else (decided - item.start) / rate_hz,
    )
