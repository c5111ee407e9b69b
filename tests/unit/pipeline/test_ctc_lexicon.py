"""Word search beside the sum over every pronunciation, boundary and alignment, written out."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.ctc_lexicon import LexiconBeam, Words
from pipeline.lexicon import Lexicon, read_lexicon
from pipeline.word_language_model import WordLanguageModel

Frames = NDArray[np.float64]
Sentence = tuple[int, ...]
WIDE = 4000

VOCABULARY = ("", "a", "b", "SIL")
SPELLED = ("to\ta", "too\ta", "ab\ta b", "ab\tb a", "bee\tb b")
"""Homophones, a word said in two ways, a word that begins another, a repeated symbol."""

ARPA = """\\data\\
ngram 1=6
ngram 2=4
ngram 3=2
\\1-grams:
-99\t<s>\t-0.3
-0.7\t</s>
-0.6\tto\t-0.2
-0.9\ttoo\t-0.1
-0.5\tab\t-0.4
-1.9\t<unk>
\\2-grams:
-0.2\t<s> to\t-0.15
-0.4\tto ab
-0.9\tab to\t0.05
-0.1\ttoo </s>
\\3-grams:
-0.05\t<s> to ab
-0.6\tab to too
\\end\\
"""


def lexicon(*, boundary: str) -> Lexicon:
    return read_lexicon(SPELLED, vocabulary=VOCABULARY if boundary else VOCABULARY[:3])


def model(words: Lexicon) -> WordLanguageModel:
    return WordLanguageModel.from_arpa(ARPA.splitlines(), words=words.words())


@st.composite
def frames(draw: st.DrawFn, most: int, n_symbols: int) -> Frames:
    """Frames from nearly certain to nearly flat, now and then with an impossible symbol."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.05, 0.3, 1.0, 10.0]))
    p = rng.dirichlet([spread] * n_symbols, size=draw(st.integers(1, most)))
    impossible = rng.random(p.shape) < draw(st.sampled_from([0.0, 0.2]))
    impossible[:, 0] = False  # silence is always possible, as it is in a stream
    p[impossible & (p < p.max(axis=1, keepdims=True))] = 0.0
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(p, np.where(impossible, 0.0, 1e-40)))


def every_tail(log_p: Frames) -> dict[tuple[int, ...], float]:
    sums: dict[tuple[int, ...], float] = defaultdict(lambda: -math.inf)
    for alignment in itertools.product(range(log_p.shape[1]), repeat=len(log_p)):
        score = sum(log_p[t, s] for t, s in enumerate(alignment))
        if score > -math.inf:
            tail = tuple(s for s, _ in itertools.groupby(alignment) if s != 0)
            sums[tail] = float(np.logaddexp(sums[tail], score))
    return dict(sums)


def readings(tail: tuple[int, ...], words: Lexicon) -> list[Sentence]:
    """Every way to read symbols as words, once for each choice of pronunciations."""
    names = words.words()
    index = {s: k for k, s in enumerate(VOCABULARY)}
    said = [
        (names.index(w), tuple(index[s] for s in p.split()))
        for w, p in (line.split("\t") for line in SPELLED)
    ]
    if words.boundary is not None:
        runs = [
            tuple(g) for quiet, g in itertools.groupby(tail, words.boundary.__eq__) if not quiet
        ]
        choices = [[w for w, symbols in said if symbols == run] for run in runs]
        return list(itertools.product(*choices))
    if not tail:
        return [()]
    return [
        (w, *rest)
        for w, symbols in said
        if tail[: len(symbols)] == symbols
        for rest in readings(tail[len(symbols) :], words)
    ]


def every_sentence(log_p: Frames, words: Lexicon) -> dict[Sentence, float]:
    sums: dict[Sentence, float] = defaultdict(lambda: -math.inf)
    for tail, score in every_tail(log_p).items():
        for reading in readings(tail, words):
            sums[reading] = float(np.logaddexp(sums[reading], score))
    return dict(sums)


def lm_score(lm: WordLanguageModel, words: Sentence, *, ended: bool) -> float:
    state, score = np.array([lm.start]), 0.0
    for word in words:
        gain, state = lm.scores(state, np.array([word]))
        score += float(gain[0])
    return score + (float(lm.ends(state)[0]) if ended else 0.0)


def run(search: LexiconBeam, log_p: Frames) -> None:
    for t, frame in enumerate(log_p):
        search.step(frame, t)


@pytest.mark.parametrize("boundary", ["SIL", ""])
@settings(max_examples=60)
@given(data=st.data())
def test_a_wide_beam_is_the_sum_over_all_pronunciations_and_alignments(
    boundary: str, data: st.DataObject
) -> None:
    words = lexicon(boundary=boundary)
    log_p = data.draw(frames(most=6 if boundary else 7, n_symbols=words.n_symbols))
    beam = LexiconBeam(Words(words), width=WIDE)
    run(beam, log_p)
    beam.end(quiet_since=10**9)
    expected = every_sentence(log_p, words)
    got = {h.tail: h.model_score for h in beam.best(WIDE)}
    assert got.keys() == expected.keys()
    for tail, score in expected.items():
        assert got[tail] == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize("boundary", ["SIL", ""])
@settings(max_examples=60)
@given(
    data=st.data(), weight=st.sampled_from([0.0, 0.4, 1.5]), bonus=st.sampled_from([0.0, 0.7, -1.0])
)
def test_a_wide_beam_with_a_language_model_is_the_weighted_sum(
    boundary: str, data: st.DataObject, weight: float, bonus: float
) -> None:
    words = lexicon(boundary=boundary)
    lm = model(words)
    log_p = data.draw(frames(most=6, n_symbols=words.n_symbols))
    beam = LexiconBeam(Words(words, lm), width=WIDE, lm_weight=weight, length_bonus=bonus)
    run(beam, log_p)
    beam.end(quiet_since=10**9)
    expected = every_sentence(log_p, words)
    hypotheses = beam.best(WIDE)
    assert {h.tail for h in hypotheses} == expected.keys()
    scores = [h.score for h in hypotheses]
    assert scores == pytest.approx(sorted(scores, reverse=True), abs=1e-9)
    for h in hypotheses:
        assert h.model_score == pytest.approx(expected[h.tail], abs=1e-9)
        assert h.lm_score == pytest.approx(lm_score(lm, h.tail, ended=True), abs=1e-9)
        whole = h.model_score + weight * h.lm_score + bonus * len(h.tail)
        assert h.score == pytest.approx(whole, abs=1e-9)
    assert beam.tail == hypotheses[0].tail


def spoken(*symbols: int, n_symbols: int, certainty: float = 0.97) -> Frames:
    p = np.full((len(symbols), n_symbols), (1 - certainty) / (n_symbols - 1))
    p[np.arange(len(symbols)), symbols] = certainty
    return np.log(p)


A, B, SIL = 1, 2, 3
TO, TOO, AB, BEE = range(4)


@settings(max_examples=60)
@given(
    log_p=frames(most=12, n_symbols=4),
    width=st.sampled_from([1, 2, 5, 16]),
    prune_logp=st.sampled_from([-2.0, -7.0, -math.inf]),
)
def test_a_narrow_beam_finds_words_and_never_claims_more_than_a_wide_one(
    log_p: Frames, width: int, prune_logp: float
) -> None:
    words = lexicon(boundary="SIL")
    narrow = LexiconBeam(Words(words), width=width, prune_logp=prune_logp)
    wide = LexiconBeam(Words(words), width=WIDE)
    for t, frame in enumerate(log_p):
        narrow.step(frame, t)
        wide.step(frame, t)
        assert set(narrow.tail) <= {TO, TOO, AB, BEE}
    found = {h.tail: h.model_score for h in wide.best(WIDE)}
    for h in narrow.best(width):
        assert h.model_score <= found[h.tail] + 1e-9


def test_homophones_are_ranked_by_the_language_model() -> None:
    words = lexicon(boundary="SIL")
    beam = LexiconBeam(Words(words, model(words)), width=32, lm_weight=1.0)
    run(beam, spoken(0, A, 0, SIL, A, SIL, 0, n_symbols=4, certainty=0.999))
    names = [[words.words()[w] for w in h.tail] for h in beam.best(2)]
    assert names[0] == ["to", "to"]
    assert names[1] == ["to", "too"]
    beam.end(quiet_since=7)  # and <s> to too </s> ends better
    assert [words.words()[w] for w in beam.tail] == ["to", "too"]


def test_a_word_that_may_go_on_is_shown_and_not_agreed_upon() -> None:
    words = lexicon(boundary="SIL")
    beam = LexiconBeam(Words(words), width=32, margin=3.0)
    run(beam, spoken(0, B, 0, B, 0, SIL, A, 0, n_symbols=4))
    assert beam.tail == (BEE, TO) or beam.tail == (BEE, TOO)
    assert beam.is_open
    assert beam.n_agreed() == 1
    beam.step(spoken(B, n_symbols=4)[0], 8)
    assert beam.tail == (BEE, AB)


def test_the_beginning_of_a_word_is_open_and_no_word() -> None:
    beam = LexiconBeam(Words(lexicon(boundary="SIL")), width=32)
    assert not beam.is_open
    run(beam, spoken(0, SIL, 0, n_symbols=4))
    assert not beam.is_open
    assert beam.last_seen == 0
    beam.step(spoken(B, n_symbols=4)[0], 3)
    assert beam.is_open
    assert beam.tail == ()
    assert beam.last_seen == 3


def test_places_of_words_leave_boundaries_out() -> None:
    beam = LexiconBeam(Words(lexicon(boundary="SIL")), width=32)
    for t, frame in enumerate(spoken(0, A, A, B, B, 0, SIL, SIL, B, 0, B, SIL, 0, n_symbols=4)):
        beam.step(frame, 10 * t)
    assert [(e.symbol, e.first, e.last) for e in beam.emissions()] == [
        (AB, 10, 40),
        (BEE, 80, 100),
    ]
    assert beam.last_seen == 100
    sure, unsure = (e.log_miss for e in beam.emissions())
    assert sure < unsure < math.log(0.1)


@pytest.mark.parametrize("boundary", ["SIL", ""])
@pytest.mark.parametrize("n_committed", [1, 2])
def test_a_commit_kills_the_others_and_shortens_the_rest(boundary: str, n_committed: int) -> None:
    words = lexicon(boundary=boundary)
    lm = model(words)
    between = SIL if boundary else 0
    path = (A, between, B, 0, B, between, A, B, 0)
    log_p = spoken(*path, n_symbols=words.n_symbols, certainty=0.9)
    beam = LexiconBeam(Words(words, lm), width=64, lm_weight=0.5)
    run(beam, log_p)
    before, best = beam.best(64), beam.tail
    beam.commit(n_committed)
    after = {h.tail: h for h in beam.best(64)}
    start = best[:n_committed]
    assert after.keys() == {h.tail[n_committed:] for h in before if h.tail[:n_committed] == start}
    assert beam.tail == best[n_committed:]
    of_start = lm_score(lm, start, ended=False)
    for tail, h in after.items():
        whole = lm_score(lm, start + tail, ended=False)
        assert h.lm_score == pytest.approx(whole - of_start, abs=1e-9)
    assert len(beam.emissions()) == len(beam.tail)
    beam.step(spoken(0, n_symbols=words.n_symbols)[0], 9)
    assert beam.tail == best[n_committed:]


def test_who_is_within_a_word_cannot_end_it() -> None:
    words = lexicon(boundary="SIL")
    log_p = np.log(np.array([[0.001, 0.4, 0.598, 0.001], [0.97, 0.01, 0.01, 0.01]]))
    beam = LexiconBeam(Words(words), width=32)
    run(beam, log_p)
    assert beam.is_open
    assert beam.tail == ()  # b, which is no word
    beam.end(quiet_since=1)
    assert beam.tail in ((TO,), (TOO,))


@pytest.mark.parametrize("boundary", ["SIL", ""])
def test_a_restart_forgets_old_words_and_parts_new_ones(boundary: str) -> None:
    words = lexicon(boundary=boundary)
    lm = model(words)
    beam = LexiconBeam(Words(words, lm), width=64, lm_weight=0.5)
    run(beam, spoken(A, 0, 0, n_symbols=words.n_symbols, certainty=0.9))
    beam.end(quiet_since=2)
    beam.commit(1)
    beam.restart(quiet_since=2)
    assert beam.tail == ()
    assert not beam.is_open
    for t, frame in enumerate(spoken(0, B, 0, B, 0, n_symbols=words.n_symbols)):
        beam.step(frame, 3 + t)
    assert beam.tail == (BEE,)
    assert beam.best(1)[0].lm_score == pytest.approx(lm_score(lm, (BEE,), ended=False))
    beam.restart(quiet_since=4)
    assert beam.tail == (BEE,)  # begun since
    beam.restart(quiet_since=8)
    assert beam.tail == ()
    assert not beam.is_open


def test_numbers_of_dead_word_sequences_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    words = lexicon(boundary="SIL")
    lm = model(words)
    log_p = spoken(*(A, SIL, B, A, SIL) * 4, n_symbols=4, certainty=0.7)
    plain = LexiconBeam(Words(words, lm), width=16, lm_weight=0.5)
    run(plain, log_p)
    monkeypatch.setattr("pipeline.ctc_lexicon.MAX_HISTORIES", 8)
    renumbered = LexiconBeam(Words(words, lm), width=16, lm_weight=0.5)
    run(renumbered, log_p)
    assert [h.tail for h in renumbered.best(5)] == [h.tail for h in plain.best(5)]
    assert renumbered.best(1)[0].score == pytest.approx(plain.best(1)[0].score, abs=1e-9)
