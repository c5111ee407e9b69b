"""Simulated frames of somebody who says, or spells, everyday phrases. Nobody's brain is involved.

Every symbol is 1 or 2 frames of 80 ms, then 1 or 2 of blank; each frame is that symbol at a height,
in Gaussian noise on all outputs, as log-probabilities. Phonemes and letters get the same heights,
lengths and noise; letters are fewer to confuse, and more to a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import tools
from pipeline.ctc_lexicon import Words
from pipeline.language_model import LanguageModel
from pipeline.lexicon import Lexicon, read_lexicon
from pipeline.word_language_model import WordLanguageModel
from tools.language.language_model import arpa_lines, clean_phrases, train
from tools.language.pronunciation import (
    VOCABULARY as PHONEMES,
)
from tools.language.pronunciation import (
    cmu_pronunciations,
    lexicon_lines,
    spelled_out,
)
from tools.language.words import WordCodes, split_words

DATA = Path(tools.__file__).parent / "data"
LETTERS = ("", *"abcdefghijklmnopqrstuvwxyz'", " ")
HEIGHT, NOISE = 4.0, 1.3
QUIET_FRAMES = 20
LM_FLOOR = -25.0

Phrase = list[str]
Frames = NDArray[np.float32]


def everyday(name: str) -> list[Phrase]:
    """Return the phrases of a file as words."""
    lines = (DATA / f"everyday_{name}.txt").read_text(encoding="utf-8").splitlines()
    return [split_words(phrase) for phrase in clean_phrases(lines)]


@dataclass(frozen=True)
class Language:
    """Phrases to learn from and to say, and a dictionary of ``n_words``, shortest words first."""

    n_words: int

    @cached_property
    def pronunciations(self) -> dict[str, list[tuple[str, ...]]]:
        """The dictionary's words of letters and apostrophes."""
        known = cmu_pronunciations()
        return {w: said for w, said in known.items() if set(w) <= set(LETTERS)}

    @cached_property
    def learned(self) -> list[Phrase]:
        """What the language models know."""
        return everyday("train")

    @cached_property
    def said(self) -> list[Phrase]:
        """What they do not, of words in the whole dictionary."""
        return [p for p in everyday("test") if p and all(w in self.pronunciations for w in p)]

    @cached_property
    def words(self) -> list[str]:
        """The words that can be found: those learned, then others."""
        learned = {w for phrase in self.learned for w in phrase if w in self.pronunciations}
        others = sorted(self.pronunciations.keys() - learned, key=lambda w: (len(w), w))
        return [*sorted(learned), *others][: self.n_words]

    @cached_property
    def lexicon_text(self) -> list[str]:
        """The lexicon of phonemes, line by line."""
        return lexicon_lines(self.words, self.pronunciations)[0]

    @cached_property
    def arpa(self) -> list[str]:
        """The word trigram, line by line."""
        codes = WordCodes(self.words)
        coded = [codes.encode(phrase) for phrase in self.learned]
        model = train(coded, order=3, unseen=codes.encode(self.words))
        return list(arpa_lines(model, codes.names()))

    def phonemes(self) -> Words:
        """Return the words as phonemes, with the trigram."""
        return self._with_model(read_lexicon(self.lexicon_text, vocabulary=PHONEMES))

    def letters(self) -> Words:
        """Return the words as letters, with the trigram."""
        lines, _ = lexicon_lines(self.words, spelled_out(self.words))
        return self._with_model(read_lexicon(lines, vocabulary=LETTERS))

    def _with_model(self, lexicon: Lexicon) -> Words:
        lm = WordLanguageModel.from_arpa(self.arpa, words=lexicon.words(), floor=LM_FLOOR)
        return Words(lexicon, lm)

    def characters(self) -> LanguageModel:
        """Return the character 6-gram of the same phrases."""
        model = train([" ".join(phrase) for phrase in self.learned], order=6)
        return LanguageModel.from_arpa(arpa_lines(model), vocabulary=LETTERS)

    def said_in_phonemes(self, phrase: Phrase) -> list[int]:
        """Return the phrase as indices, each word in its first pronunciation, then silence."""
        return [
            PHONEMES.index(symbol)
            for word in phrase
            for symbol in (*self.pronunciations[word][0], "SIL")
        ]


def spelled(phrase: Phrase) -> list[int]:
    """Return the phrase as indices of letters, a space after each word."""
    return [LETTERS.index(character) for character in f"{' '.join(phrase)} "]


def frames_of(
    symbols: Sequence[int],
    n_symbols: int,
    rng: np.random.Generator,
    *,
    height: float = HEIGHT,
    noise: float = NOISE,
) -> Frames:
    """Return log-probabilities ``(n_frames, n_symbols)``, with silence at the end."""
    path: list[int] = []
    for symbol in symbols:
        on, off = rng.integers(1, 3, size=2).tolist()
        path += [symbol] * on + [0] * off
    path += [0] * QUIET_FRAMES
    x = noise * rng.standard_normal((len(path), n_symbols))
    x[np.arange(len(path)), path] += height
    return (x - np.logaddexp.reduce(x, axis=1, keepdims=True)).astype(np.float32)
