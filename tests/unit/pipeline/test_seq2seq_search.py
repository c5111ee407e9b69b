"""Beam search beside every sequence there is, written out from the definitions."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.language_model import LanguageModel
from pipeline.seq2seq import END, Found
from pipeline.seq2seq_search import LOWEST, Seq2SeqSearch, by_end
from pipeline.spec import Seq2SeqDecoder
from tests.unit.pipeline.table_stepper import N_FRAMES, TableStepper, memory, table
from tests.unit.pipeline.test_ctc_beam import ARPA

LONGEST = 4
WIDE = 200
"""More than the 3 + 9 + 27 + 81 sequences of up to four of three symbols."""

VOCABULARIES = {2: ("", "a"), 3: ("", "a", "b"), 4: ("", "a", "b", "c")}


def model(n_symbols: int) -> LanguageModel:
    return LanguageModel.from_arpa(ARPA.splitlines(), vocabulary=VOCABULARIES[n_symbols])


def stepper(n_symbols: int, *, n_rows: int = WIDE, longest: int = LONGEST) -> TableStepper:
    return TableStepper(n_rows=n_rows, n_symbols=n_symbols, max_symbols=longest + 1)


@dataclass(frozen=True)
class Brute:
    symbols: tuple[int, ...]
    rank: float
    score: float
    model_score: float
    lm_score: float
    coverage: float


def score_one(
    seed: int,
    n_symbols: int,
    prefix: tuple[int, ...],
    symbols: tuple[int, ...],
    decoder: Seq2SeqDecoder,
    lm: LanguageModel | None,
    *,
    ends_sentence: bool,
) -> Brute:
    whole = (*prefix, *symbols)
    cover = np.zeros(N_FRAMES)
    model_score = 0.0
    for k in range(len(whole) + 1):
        log_p, attention = table(seed, whole[:k], n_symbols)
        if k < len(whole):
            cover += attention
        if k >= len(prefix):
            model_score += log_p[whole[k] if k < len(whole) else END]
    lm_score = 0.0
    if lm is not None:
        state = lm.start
        for symbol in prefix:
            state = lm.advance(state, symbol)
        for symbol in symbols:
            lm_score += lm.scores(state)[symbol]
            state = lm.advance(state, symbol)
        lm_score += lm.end(state) if ends_sentence else 0.0
    coverage = sum(math.log(min(max(c, 1e-6), 1.0)) for c in cover)
    score = model_score + decoder.lm_weight * lm_score + decoder.length_bonus * len(symbols)
    rank = score / ((5 + len(symbols)) / 6) ** decoder.length_alpha
    rank += decoder.coverage_beta * coverage
    return Brute(symbols, rank, score, model_score, lm_score, coverage)


def exhaustive(
    seed: int,
    n_symbols: int,
    decoder: Seq2SeqDecoder,
    *,
    prefix: tuple[int, ...] = (),
    lm: LanguageModel | None = None,
    longest: int = LONGEST,
    ends_sentence: bool = False,
) -> list[Brute]:
    least = min(max(decoder.min_symbols - len(prefix), 0), longest - len(prefix))
    every = [
        score_one(seed, n_symbols, prefix, symbols, decoder, lm, ends_sentence=ends_sentence)
        for n in range(least, longest - len(prefix) + 1)
        for symbols in itertools.product(range(1, n_symbols), repeat=n)
    ]
    return sorted(every, key=lambda one: -one.rank)


def advance_all(lm: LanguageModel, prefix: tuple[int, ...]) -> list[int]:
    states = [lm.start]
    for symbol in prefix:
        states.append(lm.advance(states[-1], symbol))
    return states


decoders = st.builds(
    Seq2SeqDecoder,
    beam=st.just(WIDE),
    length_alpha=st.sampled_from([0.0, 0.6, 1.5]),
    coverage_beta=st.sampled_from([0.0, 0.2, 2.0]),
    min_symbols=st.integers(0, 3),
    length_bonus=st.sampled_from([0.0, -0.4, 0.7]),
    lm_weight=st.sampled_from([0.0, 0.5, 1.3]),
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 100_000),
    n_symbols=st.integers(2, 4),
    decoder=decoders,
    prefix=st.lists(st.integers(1, 3), max_size=2),
    ends_sentence=st.booleans(),
)
def test_a_beam_wide_enough_is_the_exhaustive_search(
    seed: int, n_symbols: int, decoder: Seq2SeqDecoder, prefix: list[int], *, ends_sentence: bool
) -> None:
    forced = tuple(min(s, n_symbols - 1) for s in prefix)
    lm = model(n_symbols) if decoder.lm_weight else None
    search = Seq2SeqSearch(stepper(n_symbols), decoder, lm=lm)
    (found,) = search.run(
        memory(seed),
        prefixes=[forced],
        lm_states=[advance_all(lm, forced)] if lm else None,
        ends_sentence=ends_sentence,
    )
    wanted = exhaustive(seed, n_symbols, decoder, prefix=forced, lm=lm, ends_sentence=ends_sentence)
    assert len(found) == len(wanted)
    assert [f.symbols for f in found] == [w.symbols for w in wanted]
    for name in ("rank", "score", "model_score", "lm_score", "coverage"):
        np.testing.assert_allclose(
            [getattr(f, name) for f in found], [getattr(w, name) for w in wanted], atol=1e-9
        )
    for one in found:
        assert one.attention.shape == (len(one.symbols) + 1, N_FRAMES)
        assert sum(one.log_p) + one.end_log_p == pytest.approx(one.model_score, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000), beam=st.integers(1, 3), decoder=decoders)
def test_stopping_early_loses_nothing(seed: int, beam: int, decoder: Seq2SeqDecoder) -> None:
    """A narrow beam that runs to the longest hypothesis finds what the one that stops finds."""
    narrow = Seq2SeqDecoder(
        beam=beam,
        length_alpha=decoder.length_alpha,
        coverage_beta=decoder.coverage_beta,
        length_bonus=decoder.length_bonus,
    )
    table_stepper = stepper(4, n_rows=beam, longest=8)
    (found,) = Seq2SeqSearch(table_stepper, narrow).run(memory(seed))
    patient = Seq2SeqSearch(stepper(4, n_rows=beam, longest=8), narrow)
    patient_beams = patient_run(patient, seed)
    assert [f.symbols for f in found] == [f.symbols for f in patient_beams]


def patient_run(search: Seq2SeqSearch, seed: int) -> list[Found]:
    from pipeline import seq2seq_search

    never = pytest.MonkeyPatch()
    with never.context() as patch:
        patch.setattr(seq2seq_search._Beam, "_cannot_improve", lambda self: not len(self._scores))
        return search.run(memory(seed))[0]


@settings(max_examples=40, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 100_000), min_size=1, max_size=4),
    prefixes=st.lists(st.lists(st.integers(1, 3), max_size=3), min_size=4, max_size=4),
    beam=st.integers(1, 4),
    method=st.sampled_from(["beam", "greedy"]),
    spare=st.integers(0, 5),
)
def test_a_batch_gives_what_each_utterance_gives_alone(
    seeds: list[int], prefixes: list[list[int]], beam: int, method: str, spare: int
) -> None:
    decoder = Seq2SeqDecoder(method=method, beam=beam, lm_weight=0.4, length_alpha=0.6)
    lm = model(4)
    n = len(seeds)
    states = [advance_all(lm, tuple(p)) for p in prefixes[:n]]
    batch = Seq2SeqSearch(stepper(4, n_rows=n * beam + spare), decoder, lm=lm)
    together = batch.run(memory(*seeds), prefixes=prefixes[:n], lm_states=states)
    for k, seed in enumerate(seeds):
        single = Seq2SeqSearch(stepper(4, n_rows=beam), decoder, lm=lm)
        (alone,) = single.run(memory(seed), prefixes=[prefixes[k]], lm_states=[states[k]])
        assert [plain(f) for f in alone] == [plain(f) for f in together[k]]
        for one, other in zip(alone, together[k], strict=True):
            np.testing.assert_array_equal(one.attention, other.attention)


def plain(found: Found) -> tuple[object, ...]:
    return (found.symbols, found.rank, found.score, found.lm_score, found.log_p, found.coverage)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 100_000), least=st.integers(0, 4))
def test_greedy_takes_the_most_probable_symbol(seed: int, least: int) -> None:
    decoder = Seq2SeqDecoder(method="greedy", min_symbols=least, length_bonus=0.5)
    (found,) = Seq2SeqSearch(stepper(4, n_rows=3), decoder, lm=model(4)).run(memory(seed))
    symbols: tuple[int, ...] = ()
    model_score = 0.0
    while len(symbols) < LONGEST:
        log_p, _ = table(seed, symbols, 4)
        best = int(log_p.argmax()) if len(symbols) >= least else 1 + int(log_p[1:].argmax())
        if best == END:
            break
        model_score += log_p[best]
        symbols += (best,)
    model_score += table(seed, symbols, 4)[0][END]
    assert [f.symbols for f in found] == [symbols]
    assert found[0].model_score == pytest.approx(model_score, abs=1e-9)
    assert found[0].score == pytest.approx(model_score + 0.5 * len(symbols), abs=1e-9)
    assert found[0].lm_score == 0.0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 100_000), least=st.integers(0, 3), extra=st.integers(0, 3))
def test_lengths_count_the_whole_hypothesis(seed: int, least: int, extra: int) -> None:
    most = min(max(least + extra, 1), LONGEST)
    decoder = Seq2SeqDecoder(beam=5, min_symbols=min(least, most), max_symbols=most)
    table_stepper = stepper(4, n_rows=5)
    (found,) = Seq2SeqSearch(table_stepper, decoder).run(memory(seed), prefixes=[(1,)])
    lengths = {1 + len(f.symbols) for f in found}
    assert lengths <= set(range(max(least, 1), most + 1))
    assert table_stepper.n_steps <= most + 1


def test_what_is_no_number_is_impossible_and_ends_the_hypothesis() -> None:
    class Broken(TableStepper):
        def step(
            self, tokens: NDArray[np.int64], parents: NDArray[np.int64], position: int
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            log_p, attention = super().step(tokens, parents, position)
            return np.full_like(log_p, np.nan), np.full_like(attention, np.nan)

    broken = Broken(n_rows=3, n_symbols=4, max_symbols=5)
    (found,) = Seq2SeqSearch(broken, Seq2SeqDecoder(beam=3, coverage_beta=0.1)).run(memory(1))
    assert found[0].symbols == ()
    assert found[0].model_score == LOWEST
    assert all(math.isfinite(f.rank) for f in found)


def test_a_backspace_takes_the_language_model_back() -> None:
    vocabulary = ("", "a", "b", "<backspace>")
    lm = LanguageModel.from_arpa(ARPA.splitlines(), vocabulary=vocabulary)
    decoder = Seq2SeqDecoder(beam=WIDE, lm_weight=1.0)
    (found,) = Seq2SeqSearch(stepper(4), decoder, lm=lm, backspace=3).run(memory(3))
    by_symbols = {f.symbols: f for f in found}
    undone = by_symbols[1, 3, 2]
    assert undone.lm_p[2] == lm.scores(lm.start)[2]
    assert by_symbols[1, 2].lm_p[1] == lm.scores(lm.advance(lm.start, 1))[2]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_at_an_end_hypotheses_are_ordered_as_a_search_that_knew_it_would(seed: int) -> None:
    decoder = Seq2SeqDecoder(beam=WIDE, lm_weight=0.8, length_alpha=0.6, coverage_beta=0.1)
    search = Seq2SeqSearch(stepper(4), decoder, lm=model(4))
    (before,) = search.run(memory(seed))
    (at_end,) = search.run(memory(seed), ends_sentence=True)
    ordered = by_end(before, decoder)
    assert [f.symbols for f in ordered] == [f.symbols for f in at_end]
    np.testing.assert_allclose([f.rank for f in ordered], [f.rank for f in at_end], atol=1e-9)


def test_a_margin_gives_up_hypotheses_and_keeps_the_best() -> None:
    n_fewer = 0
    for seed in range(30):
        decoder = Seq2SeqDecoder(beam=20)
        whole, narrowed = stepper(4, n_rows=20, longest=8), stepper(4, n_rows=20, longest=8)
        (found,) = Seq2SeqSearch(whole, decoder).run(memory(seed))
        (near,) = Seq2SeqSearch(narrowed, decoder, margin=3.0).run(memory(seed))
        assert near[0].symbols == found[0].symbols
        n_fewer += narrowed.n_steps < whole.n_steps
    assert n_fewer > 10


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        (Seq2SeqDecoder(beam=9), r"decoder\.beam: got 9, wanted at most 8 rows"),
        (Seq2SeqDecoder(beam=8, max_symbols=5), r"decoder\.max_symbols: got 5, wanted at most 4"),
    ],
)
def test_a_search_beyond_its_stepper_is_refused(decoder: Seq2SeqDecoder, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Seq2SeqSearch(stepper(4, n_rows=8), decoder)


def test_more_utterances_or_prefix_than_fit_are_refused() -> None:
    search = Seq2SeqSearch(stepper(4, n_rows=8), Seq2SeqDecoder(beam=4))
    with pytest.raises(ValueError, match="got 3 utterances, 8 rows hold at most 2"):
        search.run(memory(1, 2, 3))
    with pytest.raises(ValueError, match="prefix: got 5 symbols, wanted at most 4"):
        search.run(memory(1), prefixes=[(1, 1, 1, 1, 1)])
