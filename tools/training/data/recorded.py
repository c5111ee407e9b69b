"""The examples that labelled recordings give: training and held out, filtered when first needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from pipeline.filters import FilterChain
from runtime.recordings.source import RecordingSource
from tools.recordings.signal import read_signal
from tools.training.data.augment import Augmentation, augment
from tools.training.data.example import Example
from tools.training.data.examples import RecordedExamples
from tools.training.noise import any_noise

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.spec import PipelineSpec
    from pipeline.values import Samples
    from tools.training.data.cache import FilteredCache
    from tools.training.data.corpus import Corpus
    from tools.training.data.cuts import Cut
    from tools.training.data.spelling import Spelling


_SALT = 0x0A15E
"""Keeps what is drawn here apart from what is drawn elsewhere for the same step and row."""


class CutExamples(Sequence[Example]):
    """Cuts with their samples, which are filtered (or found in the cache) when asked for.

    Args:
        corpus: that the cuts are of.
        cuts: in any order.
        cache: of the corpus's recordings.
        spec: its vocabulary has every symbol of the texts.
        spelling: of the texts; None for their characters.
    """

    def __init__(
        self,
        corpus: Corpus,
        cuts: Sequence[Cut],
        *,
        cache: FilteredCache,
        spec: PipelineSpec,
        spelling: Spelling | None = None,
    ) -> None:
        self._corpus = corpus
        self._cuts = tuple(cuts)
        self._cache = cache
        self._spelling = spelling
        self._index = {symbol: k for k, symbol in enumerate(spec.vocabulary)}
        self._rests = tuple(k for k, cut in enumerate(self._cuts) if not cut.text)

    @property
    def lengths(self) -> list[int]:
        """Samples of each."""
        return [cut.n_samples for cut in self._cuts]

    def __len__(self) -> int:
        return len(self._cuts)

    @overload
    def __getitem__(self, key: int) -> Example: ...
    @overload
    def __getitem__(self, key: slice) -> list[Example]: ...
    def __getitem__(self, key: int | slice) -> Example | list[Example]:
        if isinstance(key, slice):
            return [self[k] for k in range(len(self))[key]]
        cut = self._cuts[key]
        symbols = self._spelling.of(cut.text) if self._spelling else cut.text
        labels = tuple(self._index[symbol] for symbol in symbols)
        return Example(self._samples(cut), labels, rest=cut.rest)

    def background(self, key: int, rng: np.random.Generator) -> Samples:
        """Draw rest to mix into the example at ``key``: of another recording, where there is."""
        own = self._cuts[key].recording
        others = [k for k in self._rests if self._cuts[k].recording != own]
        drawn = others or [k for k in self._rests if k != key]
        if not drawn:
            return self._samples(self._cuts[key])[:0]
        return self._samples(self._cuts[drawn[int(rng.integers(len(drawn)))]])

    def _samples(self, cut: Cut) -> Samples:
        return self._cache.samples(self._corpus.recordings[cut.recording])[cut.start : cut.stop]


def training_examples(
    examples: CutExamples,
    *,
    spec: PipelineSpec,
    patch_samples: int,
    n_batch: int,
    seed: int,
    augmentation: Augmentation | None = None,
    noise_chance: float = 0.0,
) -> RecordedExamples:
    """Return the source of batches of ``examples``, changed as ``augmentation`` says.

    In ``noise_chance`` of them noise of the same length takes the place of EEG and text.
    """
    settings = augmentation or Augmentation()

    def change(example: Example, place: int, number: tuple[int, int, int]) -> Example:
        rng = np.random.default_rng([*number, _SALT])
        if rng.random() < noise_chance:
            return _noise(rng, len(example.samples), spec)
        return augment(
            example,
            settings,
            number=number,
            rate_hz=spec.rate_hz,
            n_channels=len(spec.channels),
            background=lambda rng: examples.background(place, rng),
        )

    return RecordedExamples(
        examples,
        patch_samples=patch_samples,
        n_batch=n_batch,
        seed=seed,
        lengths=examples.lengths,
        change=None if settings.is_off and not noise_chance else change,
    )


def _noise(rng: np.random.Generator, n_samples: int, spec: PipelineSpec) -> Example:
    n_channels = len(spec.channels)
    noise = any_noise(rng, n_samples, rate_hz=spec.rate_hz, n_channels=n_channels)
    return Example(FilterChain(spec).push(noise), (), rest=(n_samples, n_samples))


class HeldOutTexts:
    """Texts, the raw samples ``(n_samples, n_channels)`` µV they lie in, and their sessions.

    Each recording is read when its first text is asked for, and not kept.
    """

    def __init__(self, corpus: Corpus, cuts: Sequence[Cut]) -> None:
        self._corpus = corpus
        self._cuts = sorted((c for c in cuts if c.text), key=lambda c: (c.recording, c.start))

    def __len__(self) -> int:
        return len(self._cuts)

    def __iter__(self) -> Iterator[tuple[str, Samples, str]]:
        path: Path | None = None
        samples: Samples
        for cut in self._cuts:
            recorded = self._corpus.recordings[cut.recording]
            if recorded.path != path:
                path = recorded.path
                samples = read_signal(RecordingSource(path)).samples
            yield cut.text, samples[cut.start : cut.stop], recorded.whose
