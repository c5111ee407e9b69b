"""Made-up outputs of deaf and of hearing systems: matched lengths, repeated texts, people alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Sequence

N_WORDS = 400
N_TEXTS, N_PEOPLE, N_EACH = 60, 5, 2


def data_set(
    seed: int, *, effect: float, is_flat: bool = False
) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """Return outputs that get ``effect`` more of the words right than noise, and those of noise.

    Unless words are all alike (``is_flat``), common words are guessed rightly now and then; a text
    has a guess of its own, a person a skill
    of theirs; lengths of references and hypotheses go together. No guess knows its text.
    """
    rng = np.random.default_rng(seed)
    common = np.ones(N_WORDS) if is_flat else 1.0 / np.arange(1, N_WORDS + 1)
    common /= common.sum()
    lengths = rng.integers(5, 16, N_TEXTS)
    truths = [rng.choice(N_WORDS, n, p=common) for n in lengths]
    guesses = [rng.choice(N_WORDS, n - rng.integers(0, 2), p=common) for n in lengths]
    skill = np.clip(effect * (1 + 0.3 * rng.standard_normal(N_PEOPLE)), 0.0, 1.0)
    heard, deaf = [], []
    for person in range(N_PEOPLE):
        for truth, guess in zip(truths, guesses, strict=True):
            for _ in range(N_EACH):
                said = _said(rng, guess, common)
                row = {"reference": _text(truth), "subject": f"s{person}"}
                right = rng.random(len(truth)) < skill[person]
                longer = np.resize(said, len(truth))
                read = np.where(right, truth, longer) if right.any() else said
                heard.append(Pair(hypothesis=_text(read), **row))
                deaf.append(Pair(hypothesis=_text(_said(rng, guess, common)), **row))
    return heard, {"noise": deaf}


def _said(
    rng: np.random.Generator, guess: np.ndarray, common: np.ndarray
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return what is guessed of a text this time: half of it is always the same."""
    other = rng.choice(N_WORDS, len(guess), p=common)
    return np.where(rng.random(len(guess)) < 0.5, guess, other)


def _text(words: Sequence[int] | np.ndarray) -> str:
    return " ".join(f"w{word}" for word in words)
