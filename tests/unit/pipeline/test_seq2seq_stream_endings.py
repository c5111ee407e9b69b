"""How a sequence-to-sequence stream ends: silence, endpoints, abstention, a dead signal."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.language_model import LanguageModel
from pipeline.values import Text
from tests.unit.pipeline.script_listener import (
    Listener,
    events,
    finals,
    partials,
    spoken,
    text,
)
from tests.unit.pipeline.script_stepper import (
    HOP_SAMPLES,
    LETTERS,
    N_FRAMES,
    WINDOW_SAMPLES,
    Line,
)
from tests.unit.pipeline.test_ctc_beam import ARPA


def test_silence_ends_a_sentence() -> None:
    listener = Listener(commit_words=True, stability_s=0.4, endpoint_s=0.8)
    truth = spoken("ab", start=130, every=10)
    ended = None
    for _ in range(12):
        if finals(listener.hear(listener.line(truth))):
            ended = listener.start - HOP_SAMPLES + WINDOW_SAMPLES
            break
    assert text(listener.outputs) == "ab"
    assert ended == 240  # the first window that ends 80 samples or more after 150


def test_silence_alone_ends_nothing_that_hypotheses_do_not_agree_on() -> None:
    listener = Listener(commit_words=True, endpoint_s=0.5)
    noise = [Line("a", [4]), Line("b", [9]), Line("", []), Line("c", [6]), Line(" ", [3])]
    for n in range(40):
        listener.hear(noise[n % 5])
    assert text(listener.outputs) == ""


def test_the_model_may_end_the_text_earlier_where_it_looks_at_nothing_later() -> None:
    def n_windows(end_frame: int) -> int:
        listener = Listener(commit_words=True, stability_s=0.4, endpoint_s=1.0)
        truth = spoken("ab", start=150, every=10)
        while not finals(listener.outputs):
            line = listener.line(truth)
            at = line.frames[-1] if end_frame == 0 and line.frames else N_FRAMES - 1
            listener.hear(Line(line.text, line.frames, end_frame=at))
        return listener.start // HOP_SAMPLES

    assert n_windows(0) < n_windows(19)
    assert n_windows(0) * HOP_SAMPLES - HOP_SAMPLES + WINDOW_SAMPLES >= 170 + 40


def test_a_pause_no_longer_than_two_symbols_is_not_the_end_of_the_text() -> None:
    listener = Listener(commit_words=True, stability_s=0.1, endpoint_s=1.5)
    truth = [("a", 150), ("b", 180), ("c", 210), ("a", 285), (" ", 310)]
    for _ in range(20):
        line = listener.line(truth)
        at = line.frames[-1] if line.frames else N_FRAMES - 1
        listener.hear(Line(line.text, line.frames, end_frame=at))
    assert [f.text for f in finals(listener.outputs)] == ["abca "]


def test_an_endpoint_abstains_from_what_is_unsure() -> None:
    listener = Listener(abstain_below=0.8, commit_words=True)
    truth, rival = spoken("ab", start=100), spoken("cb", start=100)
    for _ in range(14):
        listener.hear(listener.line(truth, weight=0.6), listener.line(rival, weight=0.4))
    assert text(listener.outputs) == ""
    (told,) = events(listener.outputs)
    assert told.kind == "abstained"
    assert told.figures["reason"] == "unsure"
    assert told.figures["text"] == "ab"
    assert 0.3 < told.figures["confidence"] < 0.4  # 0.6 of the beam, 0.6 by the model
    assert partials(listener.outputs) == ["ab", ""]


def test_confidence_is_of_the_piece_and_its_rivals() -> None:
    listener = Listener()
    truth, rival = spoken("ab", start=100), spoken("ac", start=100)
    for _ in range(2):
        listener.hear(listener.line(truth, weight=0.7), listener.line(rival, weight=0.3))
    (final,) = finals(listener.outputs)
    assert final.text == "ab"
    assert final.raw_confidence == pytest.approx(0.49, abs=0.01)
    assert [h.text for h in final.nbest][:2] == ["ab", "ac"]
    assert final.nbest[0].score == pytest.approx(math.log(0.7), abs=0.01)
    assert final.nbest[0].score == final.nbest[0].model_score


def test_scores_of_a_tail_count_from_the_commit() -> None:
    listener = Listener(length_bonus=0.25)
    truth = [("a", 100), ("b", 180), ("c", 190)]
    listener.hear(listener.line(truth))
    partial = [o for o in listener.hear(listener.line(truth)) if isinstance(o, Text)][-1]
    assert text(listener.outputs) == "a"
    assert (partial.kind, partial.text) == ("partial", "bc")
    best = partial.nbest[0]
    assert best.text == "bc"
    assert best.score == pytest.approx(best.model_score + 0.25 * 2, abs=1e-9)


def test_finish_commits_the_rest_and_begins_anew() -> None:
    listener = Listener(commit_words=True)
    truth = spoken("ab", start=170, every=10)
    listener.hear(listener.line(truth))
    outputs = listener.stream.finish()
    assert [o.kind for o in outputs if isinstance(o, Text)] == ["final", "partial"]
    assert text(outputs) == "ab"
    assert listener.stream.finish() == []
    listener.outputs.clear()
    listener.hear_truth(truth + spoken("c", start=400), 30)
    assert text(listener.outputs) == "c"


def test_the_language_model_ends_a_sentence_and_begins_the_next() -> None:
    lm = LanguageModel.from_arpa(ARPA.splitlines(), vocabulary=LETTERS)
    listener = Listener(lm=lm, lm_weight=1.0)
    truth = spoken("ab", start=100)
    for _ in range(2):
        listener.hear(listener.line(truth))
    (final,) = finals(listener.outputs)
    state = lm.start
    want = lm.scores(state)[1] + lm.scores(lm.advance(state, 1))[2]
    assert final.nbest[0].lm_score == pytest.approx(want, abs=1e-9)
    again = spoken("a", start=600)
    listener.hear_truth(truth + again, 30)
    last = finals(listener.outputs)[-1]
    assert last.text == "a"
    assert last.nbest[0].lm_score == pytest.approx(lm.scores(lm.start)[1], abs=1e-9)


def test_an_action_is_a_final_of_its_own_and_takes_text_away() -> None:
    listener = Listener()
    truth = [("a", 100), ("b", 110), ("<backspace>", 120), ("<backspace>", 130), ("c", 140)]
    for _ in range(4):
        listener.hear(listener.line(truth))
    assert [(f.text, f.delete) for f in finals(listener.outputs)] == [
        ("ab", 0), ("", 1), ("", 1), ("c", 0),
    ]  # fmt: skip


def test_a_tainted_window_says_so() -> None:
    listener = Listener()
    truth = spoken("a", start=110) + spoken("b", start=190)
    listener.hear(listener.line(truth), tainted=True)
    listener.hear(listener.line(truth), tainted=True)
    listener.hear_truth(truth, 10)
    assert [(f.text, f.tainted) for f in finals(listener.outputs)] == [("a", True), ("b", False)]


def test_a_dead_signal_ends_what_was_agreed_and_gives_up_the_rest() -> None:
    listener = Listener(commit_words=True)
    truth = spoken("ab", start=100, every=10)
    listener.hear(listener.line(truth))
    listener.hear(listener.line([*truth, ("c", 180)]))
    assert not finals(listener.skip(3))
    outputs = listener.skip(3)
    assert text(outputs) == "ab"
    (told,) = events(outputs)
    assert (told.figures["reason"], told.figures["text"]) == ("unsettled", "c")
    assert partials(outputs)[-1] == ""
    assert not listener.skip(50)


def test_a_memory_that_is_no_number_is_silence() -> None:
    listener = Listener()
    memory = np.full((N_FRAMES, 1), np.nan, dtype=np.float32)
    assert listener.stream.push(memory, first_sample=0) == []
