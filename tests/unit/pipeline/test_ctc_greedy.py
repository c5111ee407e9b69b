"""The best path, its places and its certainty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.ctc_greedy import GreedySearch


def search(*symbols: int, certainty: float = 0.9) -> GreedySearch:
    greedy = GreedySearch(sample=0)
    for t, symbol in enumerate(symbols):
        frame = np.full(4, math.log((1 - certainty) / 3))
        frame[symbol] = math.log(certainty)
        greedy.step(frame, 10 * t)
    return greedy


def test_repeats_are_joined_and_blanks_dropped() -> None:
    greedy = search(0, 1, 1, 0, 1, 2, 2, 0)
    assert greedy.tail == (1, 1, 2)
    places = [(e.symbol, e.first, e.last) for e in greedy.emissions()]
    assert places == [(1, 10, 20), (1, 40, 40), (2, 50, 60)]
    assert greedy.last_seen == 60
    assert greedy.n_agreed() == 3
    assert greedy.share(2) == 1.0


def test_two_frames_make_a_symbol_surer_than_one() -> None:
    once, twice = search(0, 1, 0), search(0, 1, 1, 0)
    assert once.emissions()[0].log_miss == pytest.approx(math.log(0.1))
    assert twice.emissions()[0].log_miss == pytest.approx(math.log(0.01))


def test_a_certain_frame_stays_finite() -> None:
    greedy = GreedySearch(sample=0)
    greedy.step(np.array([-np.inf, 0.0]), 0)
    assert -40 < greedy.emissions()[0].log_miss < -20


def test_scores_are_of_the_single_alignment_since_the_last_commit() -> None:
    greedy = search(1, 0, 2)
    assert greedy.best(3)[0].score == pytest.approx(3 * math.log(0.9))
    greedy.commit(1)
    assert greedy.tail == (2,)
    assert greedy.best(1)[0].score == 0.0


def test_a_committed_symbol_that_goes_on_is_not_heard_again() -> None:
    greedy = search(0, 1)
    greedy.commit(1)
    greedy.step(np.log([0.05, 0.9, 0.03, 0.02]), 20)
    assert greedy.tail == ()
    assert greedy.last_seen == 20


def test_a_restart_keeps_what_just_began() -> None:
    greedy = search(0, 1)
    greedy.restart(quiet_since=10)
    assert greedy.tail == (1,)
    greedy.restart(quiet_since=11)
    assert greedy.tail == ()
