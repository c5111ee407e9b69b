"""Rows to a judgement; how rows come about is tested where they do."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from tests.report_rows import row
from tools.evaluation.evaluate import compared_rows, judged
from tools.evaluation.passes.overlap import CORPUS, Overlap
from tools.evaluation.passes.passes import LEAST_TEXTS, LEAST_TRIALS, with_sessions
from tools.evaluation.rates import by_decoding, by_recording, pace, transfer_rate
from tools.evaluation.resampling import Interval
from tools.evaluation.rows import Row
from tools.recordings.digests import text_digest

UNSEEN = CORPUS.with_name("everyday_test.txt").read_text().splitlines()[:45]
NOTHING = Overlap(None, {}, frozenset())


def garbled(text: str, rng: np.random.Generator, *, share: float) -> str:
    letters = [
        str(rng.choice(list("etaoin "))) if rng.random() < share else letter for letter in text
    ]
    return "".join(letters)


def readings(share: float = 0.1) -> list[Row]:
    """Return rows of a system that errs in that share of characters, and hears noise as noise."""
    rng = np.random.default_rng(0)
    return [
        row(
            number,
            reference=text,
            hypothesis=garbled(text, rng, share=share),
            without_lm=garbled(text, rng, share=share),
            duration_s=0.4 * len(text),
            controls={
                "white noise": "",
                "another trial's EEG": garbled(UNSEEN[number - 1], rng, share=share),
            },
        )
        for number, text in enumerate(UNSEEN)
    ]


def verdict(rows: list[Row], overlap: Overlap = NOTHING) -> tuple[str, str]:
    compared = compared_rows(rows, "basic")
    found = judged(compared, overlap, unit="characters", uses_lm=True, how="basic", seed=0).verdict
    return found.verdict, "\n".join(found.reasons)


def test_a_system_that_reads_is_found_to() -> None:
    assert verdict(readings())[0] == "reads EEG"


@pytest.mark.parametrize("seed", range(4))
def test_outputs_paired_anew_within_strata_of_like_length_are_not_shown_to_read(seed: int) -> None:
    rows, rng = readings(), np.random.default_rng(seed)
    order = sorted(range(len(rows)), key=lambda k: rows[k].duration_s)
    partner = dict(
        pair
        for start in range(0, len(order), 20)
        for pair in zip(
            order[start : start + 20], rng.permutation(order[start : start + 20]), strict=True
        )
    )
    paired = [
        msgspec.structs.replace(
            one,
            hypothesis=rows[partner[k]].hypothesis,
            without_lm=rows[partner[k]].without_lm,
        )
        for k, one in enumerate(rows)
    ]
    found, why = verdict(paired)
    assert found == "not shown"
    assert "(a)" in why


def test_texts_that_were_trained_on_are_found_however_they_are_written() -> None:
    shared = UNSEEN[3].upper() + "!"
    overlap = Overlap(None, {}, frozenset({text_digest(shared)}))
    found, why = verdict(readings(), dataclasses.replace(overlap, training=(UNSEEN[3],)))
    assert found == "not shown"
    assert "1 texts were trained on" in why


def test_a_recording_that_was_trained_on_is_named() -> None:
    found, why = verdict(readings(), dataclasses.replace(NOTHING, recordings={"r": "old.xdf"}))
    assert found == "not shown"
    assert "the bundle was made of r (as old.xdf)" in why


def test_rows_whose_reference_is_only_punctuation_are_left_out() -> None:
    rows = [row(0, reference="?!", hypothesis="a"), row(1, reference="A.", hypothesis="a")]
    assert [one.number for one in compared_rows(rows, "basic")] == [1]
    assert compared_rows(rows, "none") == rows


def named(n: int, recording: str, **known: object) -> list[Row]:
    return [row(k, recording=recording, reference=f"text {k}", **known) for k in range(n)]


@pytest.mark.parametrize(
    ("least", "known"), [(LEAST_TRIALS, {"decided_s": 1.0}), (LEAST_TEXTS, {})]
)
def test_a_recording_is_a_session_where_it_holds_enough_to_exchange(
    least: int, known: dict[str, object]
) -> None:
    enough = [*named(least, "one", **known), *named(least, "two", **known)]
    assert {one.session for one in with_sessions(enough)} == {"one", "two"}
    assert {one.session for one in with_sessions(enough[1:])} == {""}
    told = [msgspec.structs.replace(one, session="s") for one in enough[1:]]
    assert with_sessions(told) == told


def test_ten_of_ten_right_is_no_certainty() -> None:
    rows = [row(k, hypothesis="A", decided_s=2.0) for k in range(10)]
    found = by_recording(rows, "selections", seed=0)[0]
    assert found["estimate"] == 0.0
    assert found["interval"] == pytest.approx([0.0, 0.2775], abs=1e-4)  # Wilson 1927
    itr = transfer_rate(rows, Interval(0.0, 0.0, 0.0), n_symbols=32)
    assert itr["bits_per_min"] == pytest.approx(5 * 30)
    assert itr["interval"][0] < 110 < itr["interval"][1] == itr["bits_per_min"]


def test_an_abstention_is_wrong_and_its_time_counts() -> None:
    rows = [row(0, decided_s=1.0), row(1, hypothesis="", decided_s=3.0)]
    itr = transfer_rate(rows, Interval(0.5, 0.0, 1.0), n_symbols=4)
    wolpaw = 2 + 0.5 * np.log2(0.5) + 0.5 * np.log2(0.5 / 3)
    assert itr["bits_per_min"] == pytest.approx(2 * wolpaw / 4 * 60)
    assert "an abstention is wrong" in itr["counts"]
    told = pace(rows, "selections")
    assert told == {"characters_per_min": 15.0, "right_characters_per_min": 15.0}


def test_characters_a_minute_are_less_when_some_are_wrong() -> None:
    rows = [row(0, reference="abcd", hypothesis="abxdz", duration_s=60.0)]
    assert pace(rows, "characters") == {"characters_per_min": 5.0, "right_characters_per_min": 2.0}


def test_a_decoding_that_is_not_there_is_none() -> None:
    rows = [row(k, reference=f"ab{k}", hypothesis=f"ab{k}", greedy="ab") for k in range(4)]
    found = by_decoding(rows, "characters", seed=0)
    assert found["bundle"]["estimate"] == 0.0
    assert found["greedy"]["estimate"] == pytest.approx(1 / 3)
    assert found["without_lm"] is None


def test_a_single_text_has_no_interval() -> None:
    assert by_recording([row(reference="ab")], "characters", seed=0)[0]["interval"] is None
