"""Where a CTC network's examples come from: sessions simulated as they are needed, or recordings.

Every source gives the batch of a step as a function of the step's number alone, so that training
may be killed and go on anywhere. Samples pass the runtime's own filters, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec
import numpy as np

from pipeline.filters import FilterChain
from runtime.paradigm import ALPHABET
from runtime.simulation.synthesis import SynthesisSettings, synthesise
from tools.training.data.augment import Augmentation, augment
from tools.training.data.example import Example
from tools.training.noise import any_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples

BATCHES_SORTED = 16
"""So many batches' worth of examples is sorted by length at once."""

NOTHING = Augmentation()

UNKNOWN = -100
"""What torch's losses leave out."""


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


Change: TypeAlias = "Callable[[Example, int, tuple[int, int, int]], Example]"
"""Example, its place, and (seed, step, row) to another example."""


class Examples(Protocol):
    """A source of training batches, ``n_batch`` rows each."""

    @property
    def n_batch(self) -> int:
        """Rows of a batch."""
        ...

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Any:
        """Return the batch of ``step``, a function of the arguments alone.

        ``progress`` in [0, 1) says how far the training is. With ``rows`` only those rows of it:
        several processes share a step.
        """
        ...


class Sessions(Examples, Protocol):
    """A source whose examples may be had one by one: a batch is made of ``n_batch`` of them."""

    def example(self, step: int, row: int, *, progress: float) -> Example:
        """Return the example of ``row`` in ``step``, a function of the arguments alone."""
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

    Half the texts are random characters, the other half come from ``phrases``; ``rest_chance`` of
    the sessions is rest alone, and ``noise_chance`` noise of any colour: nobody at all. Training
    begins where patterns are easy to hear, at ``easy_snr_db`` for the first ``easy`` of it, and
    comes down to ``settings.snr_db`` at ``hard`` of it. Rest before and after the text is between
    the two of ``lead_s`` and of ``tail_s``.
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
    noise_chance: float = 0.1
    lead_s: tuple[float, float] = (0.2, 2.0)
    tail_s: tuple[float, float] = (0.6, 2.0)
    augmentation: Augmentation = NOTHING

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Batch:
        """Return the batch of ``step``, or ``rows`` of it."""
        chosen = range(self.n_batch)[rows or slice(None)]
        examples = [self.example(step, row, progress=progress) for row in chosen]
        return collate(examples, patch_samples=self.patch_samples)

    def snr_db(self, progress: float) -> float:
        """Return the signal-to-noise ratio at ``progress`` through the training."""
        along = min(max((progress - self.easy) / (self.hard - self.easy), 0.0), 1.0)
        start_db = max(self.easy_snr_db, self.settings.snr_db)
        return start_db + along * (self.settings.snr_db - start_db)

    def example(self, step: int, row: int, *, progress: float) -> Example:
        """Return the session of ``row`` in ``step``."""
        rng = np.random.default_rng([self.seed, step, row])
        kind = rng.random()
        if self.rest_chance <= kind < self.rest_chance + self.noise_chance:
            return self._noise(rng)
        texts = [] if kind < self.rest_chance else [self._text(rng)]
        settings = msgspec.structs.replace(
            self.settings,
            snr_db=self.snr_db(progress),
            lead_s=rng.uniform(*self.lead_s),
            tail_s=rng.uniform(*self.tail_s) if texts else rng.uniform(6.0, 12.0),
            pause_chance=0.04,
        )
        session = synthesise(texts, seed=int(rng.integers(1 << 62)), settings=settings)
        index = {symbol: k for k, symbol in enumerate(self.spec.vocabulary)}
        labels = tuple(index[c.symbol] for c in session.characters)
        on = np.zeros(len(session.samples), dtype=np.int64)
        for label, character in zip(labels, session.characters, strict=True):
            on[character.start : character.stop] = label
        rest = (len(on), len(on))
        if session.characters:
            rest = (session.characters[0].start, len(on) - session.characters[-1].stop)
        return augment(
            Example(FilterChain(self.spec).push(session.samples), labels, on, rest),
            self.augmentation,
            number=(self.seed, step, row),
            rate_hz=self.spec.rate_hz,
            n_channels=len(self.spec.channels),
            background=self._rest,
        )

    def _noise(self, rng: np.random.Generator) -> Example:
        """Return noise in which nobody is heard."""
        n_samples = round(rng.uniform(6.0, 12.0) * self.spec.rate_hz)
        noise = any_noise(rng, n_samples, rate_hz=self.spec.rate_hz)
        nothing = np.zeros(n_samples, dtype=np.int64)
        return Example(FilterChain(self.spec).push(noise), (), nothing, (n_samples, n_samples))

    def _rest(self, rng: np.random.Generator) -> Samples:
        """Return another session, in which nothing is typed."""
        settings = msgspec.structs.replace(self.settings, lead_s=10.0, tail_s=10.0)
        session = synthesise([], seed=int(rng.integers(1 << 62)), settings=settings)
        return FilterChain(self.spec).push(session.samples)

    def _text(self, rng: np.random.Generator) -> str:
        if rng.random() < 0.5:
            return "".join(rng.choice(list(ALPHABET), self.n_characters))
        text = self.phrases[rng.integers(len(self.phrases))]
        while len(text) < self.n_characters - 8:
            text += " " + self.phrases[rng.integers(len(self.phrases))]
        return text[: self.n_characters + 8].strip()


class RecordedExamples:
    """Examples there are so many of, each once an epoch, side by side with others of its length.

    What an epoch's last batch would lack is left out of that epoch; which ones are is drawn anew.

    Args:
        examples: at least one; they may be made when they are asked for.
        patch_samples: of the network.
        n_batch: examples a step.
        seed: of the order, and of what is changed.
        lengths: samples of each example; asked of each where not given.
        change: makes an example a little different, given its place in ``examples`` and the
            numbers ``(seed, step, row)``.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        *,
        patch_samples: int,
        n_batch: int,
        seed: int,
        lengths: Sequence[int] | None = None,
        change: Change | None = None,
    ) -> None:
        self._examples = examples
        self._patch_samples = patch_samples
        self.n_batch = min(n_batch, len(examples))
        self._seed = seed
        lengths = [len(example.samples) for example in examples] if lengths is None else lengths
        self._lengths = np.array(lengths)
        self._change = change

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which every example but those of an incomplete batch comes once."""
        return len(self._examples) // self.n_batch

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Batch:
        """Return the batch of ``step``, or ``rows`` of it; ``progress`` makes no difference."""
        chosen = range(self.n_batch)[rows or slice(None)]
        examples = [self.example(step, row, progress=progress) for row in chosen]
        return collate(examples, patch_samples=self._patch_samples)

    def example(self, step: int, row: int, *, progress: float) -> Example:
        """Return the example of ``row`` in ``step``; ``progress`` makes no difference."""
        epoch, place = divmod(step, self.steps_per_epoch)
        k = int(self._order(epoch)[place, row])
        example = self._examples[k]
        return (
            example if self._change is None else self._change(example, k, (self._seed, step, row))
        )

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """Return the examples of each batch of an epoch, ``(n_steps, n_batch)``.

        All are shuffled; of every few batches' worth the examples are sorted by length, so that
        those of a batch are alike; then batches are shuffled.
        """
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(len(self._examples))[: self.steps_per_epoch * self.n_batch]
        together = BATCHES_SORTED * self.n_batch
        for first in range(0, len(order), together):
            some = order[first : first + together]
            order[first : first + together] = some[np.argsort(self._lengths[some], kind="stable")]
        batches = order.reshape(self.steps_per_epoch, self.n_batch)
        return rng.permutation(batches, axis=0)
