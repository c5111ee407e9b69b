"""Where a CTC network's examples come from: sessions simulated as they are needed, or recordings.

Every source gives the batch of a step as a function of the step's number alone, so that training
may be killed and go on anywhere. Samples pass the runtime's own filters, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from pipeline.errors import RecordingError
from pipeline.filters import FilterChain
from runtime.paradigm import ALPHABET
from runtime.synthesis import SynthesisSettings, synthesise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples
    from tools.training.labelled_text import TextRecording


HELD_OUT_EVERY = 10

UNKNOWN = -100
"""What torch's losses leave out."""


@dataclass(frozen=True, slots=True)
class Example:
    """Filtered ``samples`` (n_samples, n_inputs) and their text as indices into the vocabulary.

    ``on`` (n_samples,) is the symbol that each sample belongs to, 0 at rest; None where that is
    not known, as in any recording of a person. ``rest``: how many samples at its beginning and at
    its end hold no symbol; without labels each is all of them.
    """

    samples: Samples
    labels: tuple[int, ...]
    on: NDArray[np.int64] | None = None
    rest: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples side by side: ``samples`` (n, longest, n_inputs), zeros behind each one's end.

    ``labels`` of all of them in one row, ``n_frames`` and ``n_labels`` of each. ``on`` (n, frames)
    is the symbol at each frame's end, :data:`UNKNOWN` where nobody knows.
    """

    samples: NDArray[np.float32]
    labels: NDArray[np.int64]
    n_frames: NDArray[np.int64]
    n_labels: NDArray[np.int64]
    on: NDArray[np.int64]


class Examples(Protocol):
    """A source of training batches."""

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Any:
        """Return the batch of ``step``, a function of the arguments alone.

        ``progress`` in [0, 1) says how far the training is. With ``rows`` only those rows of it:
        several processes share a step.
        """
        ...


def collate(examples: Sequence[Example], *, patch_samples: int) -> Batch:
    """Put examples side by side; each is cut to whole patches."""
    n_frames = np.array([len(e.samples) // patch_samples for e in examples])
    longest = int(n_frames.max()) * patch_samples
    samples = np.zeros((len(examples), longest, examples[0].samples.shape[1]), np.float32)
    on = np.full((len(examples), int(n_frames.max())), UNKNOWN)
    for k, example in enumerate(examples):
        n_samples = int(n_frames[k]) * patch_samples
        samples[k, :n_samples] = example.samples[:n_samples]
        if example.on is not None:
            on[k, : n_frames[k]] = example.on[patch_samples - 1 : n_samples : patch_samples]
    labels = np.array([label for e in examples for label in e.labels], dtype=np.int64)
    return Batch(samples, labels, n_frames, np.array([len(e.labels) for e in examples]), on)


@dataclass(frozen=True, slots=True)
class SimulatedExamples:
    """Sessions of the simulated person, made as they are needed and never used twice.

    Half the texts are random characters, the other half come from ``phrases``; a tenth of the
    sessions is rest alone. Training begins where patterns are easy to hear, at ``easy_snr_db`` for
    the first ``easy`` of it, and comes down to ``settings.snr_db`` at ``hard`` of it.
    """

    spec: PipelineSpec
    phrases: tuple[str, ...]
    settings: SynthesisSettings
    patch_samples: int
    n_batch: int
    seed: int
    easy_snr_db: float = 3.0
    easy: float = 0.05
    hard: float = 0.3
    n_characters: int = 28
    rest_chance: float = 0.1

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Batch:
        """Return the batch of ``step``, or ``rows`` of it."""
        snr_db = self.snr_db(progress)
        chosen = range(self.n_batch)[rows or slice(None)]
        examples = [self._example([self.seed, step, row], snr_db) for row in chosen]
        return collate(examples, patch_samples=self.patch_samples)

    def snr_db(self, progress: float) -> float:
        """Return the signal-to-noise ratio at ``progress`` through the training."""
        along = min(max((progress - self.easy) / (self.hard - self.easy), 0.0), 1.0)
        start_db = max(self.easy_snr_db, self.settings.snr_db)
        return start_db + along * (self.settings.snr_db - start_db)

    def _example(self, number: list[int], snr_db: float) -> Example:
        rng = np.random.default_rng(number)
        texts = [] if rng.random() < self.rest_chance else [self._text(rng)]
        settings = msgspec.structs.replace(
            self.settings,
            snr_db=snr_db,
            lead_s=rng.uniform(0.2, 2.0),
            tail_s=rng.uniform(0.6, 2.0) if texts else rng.uniform(6.0, 12.0),
            pause_chance=0.04,
        )
        session = synthesise(texts, seed=int(rng.integers(1 << 62)), settings=settings)
        index = {symbol: k for k, symbol in enumerate(self.spec.vocabulary)}
        labels = tuple(index[c.symbol] for c in session.characters)
        on = np.zeros(len(session.samples), dtype=np.int64)
        for label, character in zip(labels, session.characters, strict=True):
            on[character.start : character.stop] = label
        return Example(FilterChain(self.spec).push(session.samples), labels, on)

    def _text(self, rng: np.random.Generator) -> str:
        if rng.random() < 0.5:
            return "".join(rng.choice(list(ALPHABET), self.n_characters))
        text = self.phrases[rng.integers(len(self.phrases))]
        while len(text) < self.n_characters - 8:
            text += " " + self.phrases[rng.integers(len(self.phrases))]
        return text[: self.n_characters + 8].strip()


class RecordedExamples:
    """Spans of labelled recordings in an order that is new in every epoch, and rest between them.

    Args:
        examples: all there are; at least one.
        patch_samples: of the network.
        n_batch: examples a step.
        seed: of the order.
    """

    def __init__(
        self, examples: Sequence[Example], *, patch_samples: int, n_batch: int, seed: int
    ) -> None:
        self._examples = tuple(examples)
        self._patch_samples = patch_samples
        self._n_batch = min(n_batch, len(self._examples))
        self._seed = seed

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Batch:
        """Return the batch of ``step``, or ``rows`` of it; ``progress`` makes no difference."""
        per_epoch = len(self._examples) // self._n_batch
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._examples))
        chosen = order[place * self._n_batch : (place + 1) * self._n_batch]
        chosen = chosen[rows or slice(None)]
        return collate([self._examples[k] for k in chosen], patch_samples=self._patch_samples)


def held_out(recording: TextRecording) -> list[tuple[str, Samples]]:
    """Return the text and raw samples of every tenth span, with the second around it."""
    margin = round(recording.rate_hz)
    return [
        (span.text, recording.samples[max(0, span.start - margin) : span.stop + margin])
        for span in recording.spans[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    ]


def cut_examples(recording: TextRecording, spec: PipelineSpec) -> list[Example]:
    """Return the recording's spans with a second of rest around each, and the long rests.

    Every tenth span is left out, see :func:`held_out`.

    Raises:
        RecordingError: a character is not in the vocabulary; names it.
    """
    filtered = FilterChain(spec).push(recording.samples)
    margin = round(spec.rate_hz)
    index = {symbol: k for k, symbol in enumerate(spec.vocabulary)}
    examples: list[Example] = []
    quiet_from = 0
    for k, span in enumerate(recording.spans):
        unknown = sorted(set(span.text) - index.keys())
        if unknown:
            raise RecordingError(
                f"{recording.name}: text {span.text!r} at sample {span.start} has {unknown[0]!r}, "
                "wanted characters of the vocabulary"
            )
        following = recording.spans[k + 1].start if k + 1 < len(recording.spans) else len(filtered)
        start, stop = max(quiet_from, span.start - margin), min(span.stop + margin, following)
        labels = tuple(index[symbol] for symbol in span.text)
        if (k + 1) % HELD_OUT_EVERY:
            examples.append(Example(filtered[start:stop], labels))
        if following - stop > 3 * margin:
            examples.append(Example(filtered[stop:following], ()))
        quiet_from = span.stop
    return examples
