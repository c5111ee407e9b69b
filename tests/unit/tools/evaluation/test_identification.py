from __future__ import annotations

import numpy as np
import pytest

from tools.evaluation.identification import WAYS, Identification, identify
from tools.evaluation.resampling import Resampling

TEXTS = [f"{chr(97 + k % 26)}{chr(97 + k // 26)}" * (2 + k % 5) for k in range(110)] * 2


def found(hypotheses: list[str]) -> tuple[Identification, ...]:
    resampling = Resampling(TEXTS, [""] * len(TEXTS), n_draws=50)
    return identify(TEXTS, hypotheses, "characters", resampling)


def test_who_writes_what_was_meant_names_every_text() -> None:
    assert [(one.n_ways, one.share.estimate) for one in found(TEXTS)] == [(n, 1.0) for n in WAYS]


def test_who_writes_nothing_is_at_chance_for_all_are_as_far() -> None:
    for one in found([""] * len(TEXTS)):
        assert one.share.estimate == pytest.approx(one.chance)


def test_who_writes_other_texts_is_near_chance() -> None:
    shuffled = np.random.default_rng(1).permutation(TEXTS).tolist()
    for one in found(shuffled):
        assert abs(one.share.estimate - one.chance) < 0.08


def test_half_a_text_tells_more_than_chance() -> None:
    heard = [text[: len(text) // 2] for text in TEXTS]
    assert all(one.share.estimate > 3 * one.chance for one in found(heard) if one.n_ways > 2)


def test_fewer_texts_than_twice_the_ways_are_not_asked() -> None:
    few = TEXTS[:30]
    ways = identify(few, few, "characters", Resampling(few, [""] * 30, n_draws=50))
    assert [one.n_ways for one in ways] == [2, 10]
