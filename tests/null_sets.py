"""Made-up outputs of deaf and of hearing systems: matched lengths, repeated texts, people alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

N_WORDS = 400
N_TEXTS, N_PEOPLE, N_EACH = 60, 5, 2


def data_set(
    seed: int, *, effect: float, n_each: int = N_EACH, is_flat: bool = False
) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """Return outputs that get ``effect`` more of the words right than noise, and those of noise.

    Unless words are all alike (``is_flat``), common words are guessed rightly now and then; a text
    has a guess of its own, a person a skill of theirs; lengths of references and hypotheses go
    together; everybody hears each text ``n_each`` times. No guess knows its text.
    """
    rng = np.random.default_rng(seed)
    common = _up_to(is_flat=is_flat)
    truths = _truths(rng, common)
    guesses = [_drawn(rng, len(truth) - rng.integers(0, 2), common) for truth in truths]
    skill = np.clip(effect * (1 + 0.3 * rng.standard_normal(N_PEOPLE)), 0.0, 1.0)
    heard, deaf = [], []
    for person in range(N_PEOPLE):
        for truth, guess in zip(truths, guesses, strict=True):
            for _ in range(n_each):
                said = _said(rng, guess, common)
                row = {"reference": _text(truth), "subject": f"s{person}"}
                right = rng.random(len(truth)) < skill[person]
                longer = np.resize(said, len(truth))
                read = np.where(right, truth, longer) if right.any() else said
                heard.append(Pair(hypothesis=_text(read), **row))
                deaf.append(Pair(hypothesis=_text(_said(rng, guess, common)), **row))
    return heard, {"noise": deaf}


def references(seed: int) -> set[str]:
    """Return the texts of :func:`data_set`."""
    return {_text(truth) for truth in _truths(np.random.default_rng(seed), _up_to(is_flat=False))}


def _up_to(*, is_flat: bool) -> NDArray[np.float64]:
    """Return how probable each word and those before it are together."""
    common = np.ones(N_WORDS) if is_flat else 1.0 / np.arange(1, N_WORDS + 1)
    return np.cumsum(common / common.sum())


def _truths(rng: np.random.Generator, common: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    return [_drawn(rng, n, common) for n in rng.integers(5, 16, N_TEXTS)]


def _drawn(
    rng: np.random.Generator, n_words: int, common: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return words by their probability, without a table made anew for each draw."""
    return np.minimum(common.searchsorted(rng.random(n_words), side="right"), N_WORDS - 1)


def _said(
    rng: np.random.Generator, guess: NDArray[np.int64], common: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return what is guessed of a text this time: half of it is always the same."""
    other = _drawn(rng, len(guess), common)
    return np.where(rng.random(len(guess)) < 0.5, guess, other)


def _text(words: Sequence[int] | NDArray[np.int64]) -> str:
    return " ".join(f"w{word}" for word in words)
