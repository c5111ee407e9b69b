"""What a bundle's language model says by itself: its likeliest text of each length.

A decoder that hears nothing and leans on its language model writes this at best. Found by a beam
search over the model alone, so it may be a little less likely than the very best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.language_model import LanguageModel
    from pipeline.word_language_model import WordLanguageModel
    from runtime.engine import Engine

WIDTH = 16


class _Beam(NamedTuple):
    log_p: float
    text: tuple[int, ...]
    state: int


def likely_texts(engine: Engine, lengths: Iterable[int]) -> dict[int, str]:
    """Return the likeliest text of each length, in characters, or in words with a lexicon.

    Empty where the bundle has no language model.
    """
    longest = max(lengths, default=0)
    if engine.words is not None and engine.words.lm is not None:
        names = engine.words.lexicon.words()
        found = _of_words(engine.words.lm, len(names), longest)
        return {n: " ".join(names[k] for k in text) for n, text in found.items()}
    if engine.lm is None:
        return {}
    vocabulary = engine.spec.vocabulary
    found = _of_symbols(engine.lm, vocabulary, longest)
    return {n: "".join(vocabulary[k] for k in text) for n, text in found.items()}


def _of_symbols(
    lm: LanguageModel, vocabulary: Sequence[str], longest: int
) -> dict[int, tuple[int, ...]]:
    """Return the symbols of the likeliest text of each length up to ``longest``."""
    spoken = [k for k, symbol in enumerate(vocabulary) if len(symbol) == 1]
    beams, found = [_Beam(0.0, (), lm.start)], {}
    for n in range(1, longest + 1):
        longer = [
            (beam.log_p + float(lm.scores(beam.state)[k]), beam, k)
            for beam in beams
            for k in spoken
        ]
        longer.sort(key=lambda one: (-one[0], one[1].text, one[2]))
        beams = [
            _Beam(log_p, (*beam.text, k), lm.advance(beam.state, k))
            for log_p, beam, k in longer[:WIDTH]
        ]
        found[n] = max(beams, key=lambda beam: beam.log_p + lm.end(beam.state)).text
    return found


def _of_words(lm: WordLanguageModel, n_words: int, longest: int) -> dict[int, tuple[int, ...]]:
    """Return the words of the likeliest text of each length up to ``longest``."""
    every = np.arange(n_words)
    beams, found = [_Beam(0.0, (), lm.start)], {}
    for n in range(1, longest + 1):
        longer: list[_Beam] = []
        for beam in beams:
            scores, after = lm.scores(np.full(n_words, beam.state), every)
            best = np.argsort(-scores, kind="stable")[:WIDTH]
            longer += [
                _Beam(beam.log_p + float(scores[k]), (*beam.text, int(k)), int(after[k]))
                for k in best
            ]
        longer.sort(key=lambda one: (-one.log_p, one.text))
        beams = longer[:WIDTH]
        ended = lm.ends(np.array([beam.state for beam in beams]))
        found[n] = beams[int(np.argmax([b.log_p for b in beams] + ended))].text
    return found
