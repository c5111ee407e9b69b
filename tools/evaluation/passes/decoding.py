"""A recording through the very chain that the daemon runs, sample by sample: what became final.

Nothing is decoded offline in some other way: what is scored are the finals a subscriber would have
got. A final belongs to the text within whose samples most of its own lie. What lies outside all
texts counts against the nearest one, as an insertion, and is told; only where a text was meant that
nobody can tell is it left out, and told too.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.spec import SelectionDecoder
from pipeline.values import Event, Text
from tools.evaluation.passes.speed import Speed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipeline.values import Output, Samples
    from runtime.engine import Engine
    from tools.evaluation.passes.batching import Batching
    from tools.evaluation.passes.reel import Item, Reel


@dataclass(frozen=True, slots=True)
class Said:
    """What was written of one text or trial; ``text`` is empty where nothing was.

    Of a trial ``posteriors`` are by symbol at the decision, ``leading`` is the likeliest, written
    or not, and ``decided_at`` the sample behind the last one used.
    """

    text: str = ""
    confidence: float | None = None
    leading: str | None = None
    posteriors: dict[str, float] | None = None
    decided_at: int | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """One pass over one recording; ``said`` is in the order of its items.

    Characters ``n_outside`` were written outside all texts, ``n_lost`` where nobody can tell what
    was meant; ``n_abstained`` counts pieces or trials that the decoder withheld.
    """

    said: tuple[Said, ...]
    speed: Speed
    n_outside: int = 0
    n_lost: int = 0
    n_abstained: int = 0


def decode(
    engine: Engine,
    reel: Reel,
    *,
    samples: Samples | None = None,
    trials: frozenset[int] | None = None,
    batching: Batching | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Decoded:
    """Stream a recording through a fresh chain of ``engine``.

    Args:
        engine: whose bundle the recording fits.
        reel: whole, with its samples.
        samples: what the chain hears in place of the EEG, of the same shape.
        trials: numbers of those that are decoded, None for all.
        batching: of the bundle's windows, None for one at a time as live.
        on_progress: told how many samples are done.

    Raises:
        BundleError, UsageError: the pipeline's settings contradict each other.
    """
    heard = reel.samples if samples is None else samples
    is_selection = isinstance(engine.spec.decoder, SelectionDecoder)
    listener: _Trials | _Texts = _Trials(engine, reel) if is_selection else _Texts(engine, reel)
    chain = engine.chain(
        model=batching.model(engine, reel, heard) if batching is not None else None,
        marker_names=reel.marker_names,
        trials=trials if is_selection else None,
        on_decision=listener.on_decision if isinstance(listener, _Trials) else None,
        stopwatch_ns=time.perf_counter_ns,
    )
    speed = Speed(reel.rate_hz)
    for chunk in reel.chunks:
        before, began_ns = chain.n_decoded, time.perf_counter_ns()
        outputs = chain.push(heard[chunk.first : chunk.stop], chunk.markers, chunk.events)
        speed.add(chunk.stop - chunk.first, time.perf_counter_ns() - began_ns)
        if chain.n_decoded == before + 1:
            speed.add_decode(chain.last_times)
        for output in outputs:
            speed.hear(output, chunk.stop)
            listener.hear(output)
        on_progress(chunk.stop)
    for output in chain.finish():
        listener.hear(output)
    return listener.decoded(speed)


class _Trials:
    """Gives symbols and abstentions to the trials they are of."""

    def __init__(self, engine: Engine, reel: Reel) -> None:
        self._engine = engine
        self._items = reel.items
        self._ended: list[tuple[int, NDArray[np.float64] | None]] = []
        self._said: dict[int, Said] = {}
        self._n_abstained = 0

    def on_decision(self, number: int, posterior: NDArray[np.float64] | None) -> None:
        """Take that a trial ended: its symbol or abstention comes next."""
        self._ended.append((number, posterior))

    def hear(self, output: Output) -> None:
        """Take what the chain says, in order."""
        if isinstance(output, Event) and output.kind == "abstained":
            self._decided("", output.sample, tainted=False)
            self._n_abstained += 1
        elif isinstance(output, Text) and output.kind == "final":
            self._decided("".join(output.symbols), output.samples[1], tainted=output.tainted)

    def _decided(self, text: str, at: int, *, tainted: bool) -> None:
        number, posterior = self._ended.pop(0)
        if posterior is None:
            self._said[number] = Said(decided_at=at)
            return
        vocabulary, best = self._engine.spec.vocabulary, int(posterior.argmax())
        self._said[number] = Said(
            text=text,
            confidence=self._engine.confidence(float(posterior[best]), tainted=tainted),
            leading=vocabulary[best],
            posteriors=dict(zip(vocabulary, posterior.tolist(), strict=True)),
            decided_at=at,
        )

    def decoded(self, speed: Speed) -> Decoded:
        """Return what was said of each trial; of one that never began, nothing."""
        said = tuple(self._said.get(item.number, Said()) for item in self._items)
        return Decoded(said, speed, n_abstained=self._n_abstained)


@dataclass(slots=True)
class _Piece:
    """One character of the transcript, and the item it counts for: None for none."""

    character: str
    item: int | None
    is_outside: bool


@dataclass(slots=True)
class _Texts:
    """Gives finals to the texts they are of."""

    engine: Engine
    reel: Reel
    _transcript: list[_Piece] = field(default_factory=list)
    _confidence: dict[int, float | None] = field(default_factory=dict)
    _n_abstained: int = 0

    def hear(self, output: Output) -> None:
        """Take what the chain says, in order."""
        if isinstance(output, Event):
            self._n_abstained += output.kind == "abstained"
            return
        if output.kind != "final":
            return
        del self._transcript[len(self._transcript) - min(output.delete, len(self._transcript)) :]
        item, is_outside = place(self.reel.items, self.reel.lost, output.samples)
        self._transcript += [_Piece(character, item, is_outside) for character in output.text]
        if item is None or not output.text:
            return
        confidence = self.engine.confidence(output.raw_confidence, tainted=output.tainted)
        so_far = self._confidence.get(item, 1.0)
        known = confidence is not None and so_far is not None
        self._confidence[item] = (so_far or 0.0) * (confidence or 0.0) if known else None

    def decoded(self, speed: Speed) -> Decoded:
        """Return what was said of each text."""
        texts = ["" for _ in self.reel.items]
        for piece in self._transcript:
            if piece.item is not None:
                texts[piece.item] += piece.character
        return Decoded(
            tuple(
                Said(text.strip(), self._confidence.get(k) if text else None)
                for k, text in enumerate(texts)
            ),
            speed,
            n_outside=sum(p.is_outside and p.item is not None for p in self._transcript),
            n_lost=sum(piece.item is None for piece in self._transcript),
            n_abstained=self._n_abstained,
        )


def place(
    items: Sequence[Item], lost: Sequence[tuple[int, int]], samples: tuple[int, int]
) -> tuple[int | None, bool]:
    """Return which item a piece of text counts for, and whether it lies outside all of them.

    None where most of it lies in samples whose text nobody can tell.

    Args:
        items: at least one, in order.
        lost: spans of samples.
        samples: of the piece, ``[first, stop)``.
    """
    first, stop = samples[0], max(samples[1], samples[0] + 1)
    shared = [min(stop, item.stop) - max(first, item.start) for item in items]
    nearest = int(np.argmax(shared))
    in_lost = max((min(stop, b) - max(first, a) for a, b in lost), default=-math.inf)
    if in_lost > max(0, shared[nearest]):
        return None, True
    return nearest, shared[nearest] <= 0
