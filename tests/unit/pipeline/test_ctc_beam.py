"""Prefix beam search beside the sum over every alignment, written out."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.ctc_beam import PrefixBeam
from pipeline.ctc_greedy import GreedySearch
from pipeline.language_model import LanguageModel
from tests.bigrams import bigrams

Frames = NDArray[np.float64]
WIDE = 1000

ARPA = bigrams("c", before_it="c")


def model(vocabulary: tuple[str, ...] = ("", "a", "b", "c")) -> LanguageModel:
    return LanguageModel.from_arpa(ARPA.splitlines(), vocabulary=vocabulary)


@st.composite
def frames(draw: st.DrawFn, most: int = 5, n_symbols: int = 4) -> Frames:
    """Frames from nearly certain to nearly flat, now and then with an impossible symbol."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.05, 0.3, 1.0, 10.0]))
    p = rng.dirichlet([spread] * n_symbols, size=draw(st.integers(1, most)))
    impossible = rng.random(p.shape) < draw(st.sampled_from([0.0, 0.2]))
    p[impossible & (p < p.max(axis=1, keepdims=True))] = 0.0
    with np.errstate(divide="ignore"):
        return np.log(p)


def collapse(alignment: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(s for s, _ in itertools.groupby(alignment) if s != 0)


def every_tail(log_p: Frames, *, add: np.ufunc = np.logaddexp) -> dict[tuple[int, ...], float]:
    sums: dict[tuple[int, ...], float] = defaultdict(lambda: -math.inf)
    for alignment in itertools.product(range(log_p.shape[1]), repeat=len(log_p)):
        score = sum(log_p[t, s] for t, s in enumerate(alignment))
        if score > -math.inf:
            tail = collapse(alignment)
            sums[tail] = float(add(sums[tail], score))
    return dict(sums)


def lm_score(lm: LanguageModel, tail: tuple[int, ...]) -> float:
    state, score = lm.start, 0.0
    for symbol in tail:
        score += float(lm.scores(state)[symbol])
        state = lm.advance(state, symbol)
    return score


def run(search: PrefixBeam | GreedySearch, log_p: Frames) -> None:
    for t, frame in enumerate(log_p):
        search.step(frame, t)


@given(frames())
def test_a_wide_beam_is_the_sum_over_all_alignments(log_p: Frames) -> None:
    beam = PrefixBeam(4, width=WIDE)
    run(beam, log_p)
    expected = every_tail(log_p)
    got = {h.tail: h.model_score for h in beam.best(WIDE)}
    assert got.keys() == expected.keys()
    for tail, score in expected.items():
        assert got[tail] == pytest.approx(score, abs=1e-9)


@given(frames(), st.sampled_from([0.0, 0.4, 1.5]), st.sampled_from([0.0, 0.7, -1.0]))
def test_a_wide_beam_with_a_language_model_is_the_weighted_sum(
    log_p: Frames, weight: float, bonus: float
) -> None:
    lm = model()
    beam = PrefixBeam(4, width=WIDE, lm=lm, lm_weight=weight, length_bonus=bonus)
    run(beam, log_p)
    expected = every_tail(log_p)
    hypotheses = beam.best(WIDE)
    assert {h.tail for h in hypotheses} == expected.keys()
    assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)
    for h in hypotheses:
        assert h.model_score == pytest.approx(expected[h.tail], abs=1e-9)
        assert h.lm_score == pytest.approx(lm_score(lm, h.tail), abs=1e-9)
        whole = h.model_score + weight * h.lm_score + bonus * len(h.tail)
        assert h.score == pytest.approx(whole, abs=1e-9)


@given(frames())
def test_a_wide_max_product_beam_is_the_best_alignment(log_p: Frames) -> None:
    beam = PrefixBeam(4, width=WIDE, semiring="max")
    run(beam, log_p)
    expected = every_tail(log_p, add=np.maximum)
    for h in beam.best(WIDE):
        assert h.model_score == pytest.approx(expected[h.tail], abs=1e-9)


@given(frames(most=40, n_symbols=6))
def test_the_max_product_beam_of_width_one_is_greedy(log_p: Frames) -> None:
    beam, greedy = PrefixBeam(6, width=1, semiring="max"), GreedySearch(sample=0)
    run(beam, log_p)
    run(greedy, log_p)
    assert beam.tail == greedy.tail
    assert beam.best(1)[0].model_score == pytest.approx(greedy.best(1)[0].model_score, abs=1e-9)


def ctc_sum(log_p: Frames, tail: tuple[int, ...]) -> float:
    """The forward recursion over blank-interleaved states, as in Graves et al. 2006."""
    states = [0]
    for symbol in tail:
        states += [symbol, 0]
    alpha = np.full(len(states), -math.inf)
    first = True
    for frame in log_p:
        new = np.full(len(states), -math.inf)
        for k, symbol in enumerate(states):
            ways = [alpha[k]]
            if first:
                ways = [0.0] if k <= 1 else [-math.inf]
            else:
                if k >= 1:
                    ways.append(alpha[k - 1])
                if k >= 2 and symbol not in (0, states[k - 2]):
                    ways.append(alpha[k - 2])
            new[k] = np.logaddexp.reduce(ways) + frame[symbol]
        alpha, first = new, False
    return float(np.logaddexp.reduce(alpha[-2:]))


@given(frames(most=5))
def test_the_forward_recursion_of_these_tests_is_right(log_p: Frames) -> None:
    for tail, score in every_tail(log_p).items():
        assert ctc_sum(log_p, tail) == pytest.approx(score, abs=1e-9)


@given(frames(most=6))
def test_a_wide_beam_never_scores_below_the_greedy_texts_own_sum(log_p: Frames) -> None:
    beam, greedy = PrefixBeam(4, width=4 * WIDE), GreedySearch(sample=0)
    run(beam, log_p)
    run(greedy, log_p)
    assert beam.best(1)[0].model_score >= ctc_sum(log_p, greedy.tail) - 1e-9


@given(frames(most=30, n_symbols=5), st.sampled_from([1, 2, 8]))
def test_a_narrow_beam_never_claims_more_than_the_true_sum(log_p: Frames, width: int) -> None:
    beam = PrefixBeam(5, width=width)
    run(beam, log_p)
    for h in beam.best(width):
        assert h.model_score <= ctc_sum(log_p, h.tail) + 1e-9


def test_unlikely_symbols_are_not_extended_with() -> None:
    log_p = np.log(np.array([[0.899, 0.1, 0.001], [0.899, 0.1, 0.001]]))
    beam = PrefixBeam(3, width=WIDE, prune_logp=-5.0)
    run(beam, log_p)
    assert {h.tail for h in beam.best(WIDE)} == {(), (1,)}


def spoken(*symbols: int, n_symbols: int = 4, certainty: float = 0.97) -> Frames:
    p = np.full((len(symbols), n_symbols), (1 - certainty) / (n_symbols - 1))
    p[np.arange(len(symbols)), symbols] = certainty
    return np.log(p)


@pytest.mark.parametrize("width", [None, 8])
def test_places_and_misses_of_symbols(width: int | None) -> None:
    log_p = spoken(0, 0, 1, 1, 0, 1, 0, 0, 2, 3, 3, 0)
    search = PrefixBeam(4, width=width, sample=0) if width else GreedySearch(sample=0)
    for t, frame in enumerate(log_p):
        search.step(frame, 10 * t)
    assert search.tail == (1, 1, 2, 3)
    assert [(e.symbol, e.first, e.last) for e in search.emissions()] == [
        (1, 20, 30),
        (1, 50, 50),
        (2, 80, 80),
        (3, 90, 100),
    ]
    assert search.last_seen == 100
    misses = [e.log_miss for e in search.emissions()]
    assert misses[2] == pytest.approx(math.log(0.03), abs=0.5)
    assert misses[0] < misses[2] - 2


@pytest.mark.parametrize("n_committed", [0, 1, 3])
def test_a_commit_kills_the_others_and_shortens_the_rest(n_committed: int) -> None:
    lm = model()
    log_p = spoken(1, 0, 2, 0, 1, 0, 0, 3, certainty=0.8)
    beam = PrefixBeam(4, width=16, lm=lm, lm_weight=0.5)
    run(beam, log_p)
    before = beam.best(16)
    best = before[0].tail
    beam.commit(n_committed)
    after = {h.tail: h for h in beam.best(16)}
    expected = {h.tail[n_committed:] for h in before if h.tail[:n_committed] == best[:n_committed]}
    assert after.keys() == expected
    assert beam.tail == best[n_committed:]
    total = np.logaddexp.reduce([h.model_score for h in after.values()])
    assert total == pytest.approx(0.0, abs=1e-9)
    given_committed = lm_score(lm, best) - lm_score(lm, best[:n_committed])
    assert after[beam.tail].lm_score == pytest.approx(given_committed, abs=1e-9)
    assert len(beam.emissions()) == len(beam.tail)


def test_a_committed_symbol_still_needs_a_blank_before_its_repeat() -> None:
    beam = PrefixBeam(4, width=8)
    run(beam, spoken(0, 1))
    beam.commit(1)
    beam.step(spoken(1)[0], 2)
    assert beam.tail == ()
    run(beam, spoken(0, 1))
    assert beam.tail == (1,)


def test_the_end_of_the_sentence_chooses_among_silent_hypotheses() -> None:
    lm = model()  # after b an end is impossible, after a it is not
    beam = PrefixBeam(4, width=16, lm=lm, lm_weight=1.0)
    log_p = np.log(np.array([[0.01, 0.1, 0.88, 0.01], [0.97, 0.01, 0.01, 0.01]]))
    run(beam, log_p)
    best = beam.tail
    scores = {h.tail: h.score for h in beam.best(16)}
    beam.end(quiet_since=1)
    ends = {tail: score + lm.end(_state(lm, tail)) for tail, score in scores.items()}
    assert beam.tail == max(ends, key=lambda tail: ends[tail]) != best
    assert beam.best(1)[0].tail == beam.tail
    assert {h.tail: h.score for h in beam.best(16)} == pytest.approx(ends)
    assert beam.best(1)[0].lm_score == pytest.approx(lm_score(lm, (1,)) + lm.end(_state(lm, (1,))))
    beam.commit(1)
    assert beam.best(1)[0].lm_score == 0.0  # an end that is past counts no more


def _state(lm: LanguageModel, tail: tuple[int, ...]) -> int:
    state = lm.start
    for symbol in tail:
        state = lm.advance(state, symbol)
    return state


def test_who_still_speaks_does_not_end_the_sentence() -> None:
    log_p = np.log(np.array([[0.005, 0.005, 0.985, 0.005], [0.6, 0.39, 0.005, 0.005]]))
    for quiet_since, tail in ((-1, (2,)), (0, ()), (1, (2, 1))):
        beam = PrefixBeam(4, width=16, lm=model(), lm_weight=1.0)
        run(beam, log_p)
        assert beam.tail == (2,)
        beam.end(quiet_since=quiet_since)  # impossible after symbol 2 alone
        assert beam.tail == tail


def test_after_a_backspace_the_language_model_is_where_it_was() -> None:
    lm = model()
    a, b, undo = 1, 2, 3
    after_a, after_ab = _state(lm, (a,)), _state(lm, (a, b))
    b_again = float(lm.scores(after_a)[b])
    undone = float(lm.scores(after_ab)[undo])
    beam = PrefixBeam(4, width=32, lm=lm, lm_weight=0.01, backspace=undo)
    run(beam, spoken(a, 0, b, 0, undo, 0, b, 0, certainty=0.98))
    assert beam.tail == (a, b, undo, b)
    whole = lm_score(lm, (a, b)) + undone + b_again
    assert beam.best(1)[0].lm_score == pytest.approx(whole)
    beam.commit(3)
    assert beam.best(1)[0].lm_score == pytest.approx(b_again)
    beam.commit(1)
    run(beam, spoken(undo, 0, b, 0, certainty=0.98))  # takes back what is committed
    assert beam.best(1)[0].lm_score == pytest.approx(undone + b_again)


def test_a_restart_forgets_old_tails_and_the_sentence() -> None:
    lm = model()
    beam = PrefixBeam(4, width=16, lm=lm, lm_weight=0.5)
    run(beam, spoken(1, 0, 0, 0, certainty=0.9))
    beam.commit(1)
    beam.step(np.log(np.array([0.6, 0.02, 0.36, 0.02])), 4)
    assert beam.tail == ()
    assert {(), (1,), (2,), (3,), (2, 2)} <= {h.tail for h in beam.best(16)}
    beam.restart(quiet_since=4)
    tails = {h.tail: h.lm_score for h in beam.best(16)}
    assert set(tails) == {(), (2,)}  # what began in the last frame, or nothing
    assert tails[2,] == pytest.approx(lm_score(lm, (2,)))  # as the first of a sentence
    beam.restart(quiet_since=5)
    assert [h.tail for h in beam.best(16)] == [()]
