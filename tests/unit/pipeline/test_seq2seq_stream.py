from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.language_model import LanguageModel
from pipeline.seq2seq_stream import Seq2SeqStream
from pipeline.spec import Seq2SeqDecoder, SlidingWindow
from pipeline.values import Event, Output, Text
from tests.unit.pipeline.script_stepper import (
    FRAME_SAMPLES,
    HOP_SAMPLES,
    LETTERS,
    N_FRAMES,
    WINDOW_SAMPLES,
    Line,
    ScriptStepper,
)
from tests.unit.pipeline.test_ctc_beam import ARPA

RATE_HZ = 100.0
Truth = list[tuple[str, int]]
"""Symbols, and the sample each is said at."""


class Listener:
    """A stream with its script, window after window."""

    def __init__(self, lm: LanguageModel | None = None, **changes: Any) -> None:
        self.stepper = ScriptStepper()
        decoder = Seq2SeqDecoder(
            **{"beam": 3, "stability_s": 0.4, "endpoint_s": 1.0, "commit_words": False} | changes
        )
        self.stream = Seq2SeqStream(
            decoder,
            LETTERS,
            lm,
            stepper=self.stepper,
            window=SlidingWindow(window_samples=WINDOW_SAMPLES, hop_samples=HOP_SAMPLES),
            n_frames=N_FRAMES,
            rate_hz=RATE_HZ,
        )
        self.start = 0
        self.outputs: list[Output] = []

    def hear(self, *lines: Line, tainted: bool = False) -> list[Output]:
        memory = self.stepper.memory(self.start, list(lines))
        outputs = self.stream.push(memory, first_sample=self.start, tainted=tainted)
        self.start += HOP_SAMPLES
        self.outputs += outputs
        return outputs

    def hear_truth(self, truth: Truth, n_windows: int, **line: Any) -> list[Output]:
        outputs: list[Output] = []
        for _ in range(n_windows):
            outputs += self.hear(self.line(truth, **line))
        return outputs

    def line(self, truth: Truth, **line: Any) -> Line:
        """Return what lies in the next window, where it lies."""
        inside = [(s, at) for s, at in truth if self.start <= at < self.start + WINDOW_SAMPLES]
        frames = [(at - self.start) // FRAME_SAMPLES for _, at in inside]
        return Line([s for s, _ in inside], frames, **line)

    def skip(self, n_windows: int = 1) -> list[Output]:
        outputs: list[Output] = []
        for _ in range(n_windows):
            outputs += self.stream.skip(first_sample=self.start)
            self.start += HOP_SAMPLES
        self.outputs += outputs
        return outputs


def finals(outputs: Sequence[Output]) -> list[Text]:
    return [o for o in outputs if isinstance(o, Text) and o.kind == "final"]


def partials(outputs: Sequence[Output]) -> list[str]:
    return [o.text for o in outputs if isinstance(o, Text) and o.kind == "partial"]


def events(outputs: Sequence[Output]) -> list[Event]:
    return [o for o in outputs if isinstance(o, Event)]


def text(outputs: Sequence[Output]) -> str:
    return "".join(f.text for f in finals(outputs))


def spoken(string: str, start: int = 150, every: int = 25) -> Truth:
    return [(s, start + k * every) for k, s in enumerate(string)]


@pytest.mark.parametrize("commit_words", [True, False])
@pytest.mark.parametrize("n_agree", [1, 2, 3])
def test_what_is_said_is_written_once_in_order(n_agree: int, *, commit_words: bool) -> None:
    listener = Listener(n_agree=n_agree, commit_words=commit_words)
    truth = spoken("abc ba cab ab ccb a")
    listener.hear_truth(truth, 50)
    assert text(listener.outputs) == "abc ba cab ab ccb a"
    assert not events(listener.outputs)
    spans = [f.samples for f in finals(listener.outputs)]
    assert spans == sorted(spans)
    assert spans[0][0] == 150
    assert spans[-1] == (truth[-1][1] // 10 * 10, truth[-1][1] // 10 * 10 + 10)
    if commit_words:
        assert [f.text for f in finals(listener.outputs)][-1] == "a"
        assert all(f.text.endswith(" ") for f in finals(listener.outputs)[:-1])


def test_text_is_final_when_it_is_stable_and_told_at_once() -> None:
    listener = Listener()
    truth = spoken("a", start=190) + spoken("b", start=250)
    for n in range(20):
        new = listener.hear(listener.line(truth))
        stop = n * HOP_SAMPLES + WINDOW_SAMPLES
        if finals(new) and "a" in text(new):
            assert stop - 200 >= 40  # the end of its frame
            assert stop - 200 < 40 + HOP_SAMPLES
            return
    raise AssertionError("never final")


def test_a_final_waits_until_hypotheses_agree() -> None:
    listener = Listener()
    truth = spoken("a", start=110)
    rival = spoken("b", start=110)
    for n in range(5):
        assert not finals(listener.hear(listener.line((truth, rival)[n % 2])))
    assert partials(listener.outputs) == ["a", "b", "a", "b", "a"]
    assert text(listener.hear(listener.line(truth))) == "a"


def test_three_must_agree_where_three_are_asked_for() -> None:
    listener = Listener(n_agree=3)
    a, b = spoken("a", start=110), spoken("b", start=110)
    said = [text(listener.hear(listener.line(truth))) for truth in (a, a, b, a, a, a)]
    assert said == ["", "", "", "", "", "a"]


def test_an_open_word_waits_for_its_end_or_for_the_endpoint() -> None:
    listener = Listener(commit_words=True)
    truth = spoken("ab", start=120) + spoken(" c", start=200)
    assert text(listener.hear_truth(truth[:2], 3)) == ""
    assert text(listener.hear_truth(truth, 3)) == "ab "
    assert partials(listener.outputs)[-1] == "c"
    assert text(listener.hear_truth(truth, 12)) == "c"


def test_as_much_as_a_hypothesis_can_hold_is_written_once() -> None:
    listener = Listener(max_symbols=8)
    truth = spoken("abcabacb" + "cabcbabc", every=26)  # 8 in a window, all of them settled at last
    for _ in range(50):
        stop = listener.start + WINDOW_SAMPLES
        for final in finals(listener.hear(listener.line(truth))):
            assert stop - final.samples[0] - FRAME_SAMPLES <= 40 + 2 * HOP_SAMPLES
    assert text(listener.outputs) == "abcabacb" + "cabcbabc"
    assert not events(listener.outputs)


def test_a_word_longer_than_the_window_leaves_in_parts() -> None:
    listener = Listener(commit_words=True)
    truth = spoken("abc" * 20, every=30)
    listener.hear_truth(truth, 110)
    assert text(listener.outputs) == "abc" * 20
    assert not events(listener.outputs)


def test_what_leaves_the_window_unsettled_is_told_and_left_out() -> None:
    listener = Listener()
    a, b = spoken("a", start=110), spoken("b", start=110)
    later = spoken("c", start=170)
    for n in range(16):
        listener.hear(listener.line((a, b)[n % 2] + later))
    (left,) = events(listener.outputs)
    assert left.kind == "abstained"
    assert left.figures["reason"] == "unsettled"
    assert left.figures["text"] in {"a", "b"}
    assert (left.figures["start"], left.sample) == (110, 120)
    assert text(listener.outputs) == "c"


def test_a_loop_is_neither_shown_nor_committed() -> None:
    listener = Listener()
    for first in (11, 9, 7):
        frames = [first, first, *(first + 1 + k // 4 for k in range(16))]
        listener.hear(Line("ab" + "ca" * 8, frames))
    assert partials(listener.outputs)[0] == "abca"
    assert text(listener.outputs) == "abca"
    assert not events(listener.outputs)


def test_an_endpoint_leaves_a_loop_out_and_says_so() -> None:
    listener = Listener(commit_words=True)
    truth, n = spoken("abc", start=100, every=10), 12
    for _ in range(n):
        line = listener.line(truth)
        if len(line.text) == 3:
            line = Line("abc" + "abc" * 5, [*line.frames, *[line.frames[-1]] * 15])
        listener.hear(line)
        if events(listener.outputs):
            break
    assert text(listener.outputs) == "abc"
    (told,) = events(listener.outputs)
    assert told.figures["reason"] == "repeats"
    assert told.figures["text"] == "abc" * 5


def test_attention_that_jumps_back_stops_the_commit() -> None:
    listener = Listener()
    for _ in range(3):
        listener.hear(Line("abcab", [10, 11, 12, 2, 3]))
    assert text(listener.outputs) == "abc"
    assert partials(listener.outputs)[0] == "abc"


def test_attention_is_not_held_to_the_frame() -> None:
    listener = Listener()
    for _ in range(2):
        listener.hear(Line("abc", [8, 7, 9]))
    (final,) = finals(listener.outputs)
    assert final.text == "abc"
    assert final.samples == (20 + 80, 20 + 100)


def test_what_was_committed_is_not_written_again_where_attention_moved_a_little() -> None:
    listener = Listener()
    listener.hear(Line("ab", [8, 10]))
    listener.hear(Line("ab", [6, 8]))
    listener.hear(Line("abc", [5, 6, 9]))
    listener.hear(Line("abc", [3, 3, 7]))
    assert text(listener.outputs) == "abc"


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


lines = st.builds(
    lambda symbols, frames, end: Line(symbols, sorted(frames)[: len(symbols)], end_frame=end),
    st.lists(st.sampled_from(LETTERS[1:]), max_size=8),
    st.lists(st.integers(0, N_FRAMES - 1), min_size=8, max_size=8),
    st.integers(0, N_FRAMES - 1),
)


@settings(max_examples=60, deadline=None)
@given(
    windows=st.lists(st.one_of(st.none(), lines, st.just(Line("ab", [5, 9]))), max_size=30),
    commit_words=st.booleans(),
    n_agree=st.integers(1, 3),
)
def test_whatever_is_heard_the_outputs_are_sound(
    windows: list[Line | None], n_agree: int, *, commit_words: bool
) -> None:
    listener = Listener(commit_words=commit_words, n_agree=n_agree, endpoint_s=0.5)
    shown, last_start = "", 0
    for line in windows:
        stop = listener.start + WINDOW_SAMPLES
        outputs = listener.skip() if line is None else listener.hear(line)
        for output in outputs:
            if isinstance(output, Event):
                assert output.known_at == stop
                continue
            assert output.samples[0] <= output.samples[1] <= stop
            assert output.raw_confidence is None or 0 <= output.raw_confidence <= 1 + 1e-9
            if output.kind == "final":
                assert output.samples[0] >= last_start
                last_start = output.samples[0]
            else:
                assert output.symbols != shown
                shown = output.symbols
        assert listener.stream.partial().symbols == (shown or ())
    ended = listener.stream.finish()
    assert listener.stream.partial().text == ""
    assert text(ended) or not listener.stream.finish()


def test_a_reset_stream_is_a_new_one() -> None:
    old, new = Listener(), Listener()
    truth = spoken("abc ab", start=90)
    old.hear_truth(truth, 7)
    old.stream.reset()
    old.start, old.outputs = 0, []
    assert old.hear_truth(truth, 25) == new.hear_truth(truth, 25)


def test_state_stays_small_for_ever() -> None:
    listener = Listener(commit_words=True)
    rng = np.random.default_rng(0)
    most = 0
    for n in range(900):
        if n % 3 == 0:
            symbols = rng.choice(LETTERS[1:5], size=rng.integers(0, 12)).tolist()
            frames = np.sort(rng.integers(0, N_FRAMES, size=len(symbols))).tolist()
        listener.hear(Line(symbols, frames))
        listener.outputs.clear()
        stream = listener.stream
        sizes = [len(stream._settled), len(stream._tail), len(stream._said), len(stream._found)]
        most = max(most, *sizes, *(len(tail) for tail in stream._earlier))
    assert most <= 40


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match=r"decoder\.stability_s: got 1\.9, wanted at most 1\.8"):
        Listener(stability_s=1.9)
    with pytest.raises(ValueError, match=r"decoder\.endpoint_s: 0\.123 s at 100\.0 Hz"):
        Listener(endpoint_s=0.123)
    with pytest.raises(ValueError, match=r"decoder\.n_agree: got 11, wanted at most 10, the windo"):
        Listener(n_agree=11)
    with pytest.raises(ValueError, match="expected the end ''"):
        Seq2SeqStream(
            Seq2SeqDecoder(beam=1),
            ("a", "b"),
            None,
            stepper=ScriptStepper(),
            window=SlidingWindow(window_samples=200, hop_samples=20),
            n_frames=20,
            rate_hz=RATE_HZ,
        )
    listener = Listener()
    with pytest.raises(ValueError, match=r"got shape \(3, 1\), expected \(20, n_features\)"):
        listener.stream.push(np.zeros((3, 1), dtype=np.float32), first_sample=0)
    listener.hear(Line("", []))
    with pytest.raises(ValueError, match="first_sample: got 0, expected a later window"):
        listener.stream.skip(first_sample=0)
