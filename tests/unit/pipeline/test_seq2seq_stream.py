"""What of a sequence-to-sequence stream is written, when, and that it is sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.seq2seq_stream import Seq2SeqStream
from pipeline.spec import Seq2SeqDecoder, SlidingWindow
from pipeline.values import Event
from tests.unit.pipeline.script_listener import (
    RATE_HZ,
    Listener,
    events,
    finals,
    partials,
    spoken,
    text,
)
from tests.unit.pipeline.script_stepper import (
    FRAME_SAMPLES,
    HOP_SAMPLES,
    LETTERS,
    N_FRAMES,
    WINDOW_SAMPLES,
    Line,
    ScriptStepper,
)


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
