"""The commit rule: chunking, retraction, endpoints, actions, abstention, silence."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.commit import LONGEST_WORD, CtcStream
from pipeline.ctc_beam import PrefixBeam
from pipeline.language_model import LanguageModel
from pipeline.spec import CtcDecoder
from pipeline.values import Event, Output, Text
from tests.bigrams import bigrams

Frames = NDArray[np.float32]
VOCABULARY = ("", "a", "b", " ", "<backspace>")
FRAME = 5
RATE_HZ = 250.0  # 50 frames a second

ARPA = bigrams("<sp>", before_it="a")
LM = LanguageModel.from_arpa(ARPA.splitlines(), vocabulary=VOCABULARY, floor=-5.0)


def stream(lm: LanguageModel | None = None, **settings: Any) -> CtcStream:
    given_settings = CtcDecoder(**{"lm_weight": 0.5 if lm else 0.0, **settings})
    return CtcStream(given_settings, VOCABULARY, lm, frame_samples=FRAME, rate_hz=RATE_HZ)


def typed(text: str, *, certainty: float = 0.99, quiet: int = 9, seed: int = 0) -> Frames:
    """One frame a symbol, then ``quiet`` blank ones; ``<`` is a backspace, ``_`` more quiet."""
    names = {"<": "<backspace>", "_": ""}
    path = []
    for symbol in text:
        path += [VOCABULARY.index(names.get(symbol, symbol)), *[0] * quiet]
    rng = np.random.default_rng(seed)
    p = (1 - certainty) * rng.dirichlet([1.0] * len(VOCABULARY), size=len(path))
    p[np.arange(len(path)), path] += certainty
    return np.log(p).astype(np.float32)


@st.composite
def noisy(draw: st.DrawFn) -> Frames:
    text = draw(st.text(alphabet="ab <_", min_size=1, max_size=14))
    frames = typed(
        text + "_" * draw(st.integers(0, 8)),
        certainty=draw(st.sampled_from([0.2, 0.5, 0.8, 0.95])),
        quiet=draw(st.integers(0, 9)),
        seed=draw(st.integers(0, 2**32)),
    )
    if draw(st.booleans()):
        frames[draw(st.integers(0, len(frames) - 1))] = np.nan
    return frames


def outputs(decoder: CtcStream, frames: Frames, cuts: list[int], *, first: int = 0) -> list[Output]:
    edges = [0, *sorted(cut % (len(frames) + 1) for cut in cuts), len(frames)]
    out: list[Output] = []
    for start, stop in pairwise(edges):
        out += decoder.push(frames[start:stop], first_sample=first + start * FRAME)
    return out


def finals(out: list[Output]) -> list[Text]:
    return [o for o in out if isinstance(o, Text) and o.kind == "final"]


def partials(out: list[Output]) -> list[str]:
    return [o.text for o in out if isinstance(o, Text) and o.kind == "partial"]


def transcript(texts: list[Text]) -> str:
    written = ""
    for text in texts:
        written = written[: len(written) - text.delete] + text.text
    return written


DECODERS = st.sampled_from(
    [
        {"method": "greedy"},
        {"beam": 1},
        {"beam": 4, "lm": LM},
        {"beam": 8, "lm": LM, "length_bonus": 0.5, "commit_words": True},
        {"beam": 8, "abstain_below": 0.7, "stability_s": 0.1},
        {"beam": 8, "lm": LM, "stability_s": 0.0, "endpoint_s": 0.2},
    ]
)


@given(noisy(), DECODERS, st.lists(st.integers(0, 200), max_size=12))
def test_any_chunking_gives_the_same_outputs(
    frames: Frames, settings: dict[str, Any], cuts: list[int]
) -> None:
    before = frames.copy()
    whole, pieces = stream(**settings), stream(**settings)
    assert outputs(whole, frames, []) == outputs(pieces, frames, cuts)
    assert whole.finish() == pieces.finish()
    assert np.array_equal(frames, before, equal_nan=True)


@given(noisy(), noisy(), DECODERS)
def test_reset_equals_new(first: Frames, second: Frames, settings: dict[str, Any]) -> None:
    used, new = stream(**settings), stream(**settings)
    outputs(used, first, [])
    used.reset()
    assert outputs(used, second, []) == outputs(new, second, [])
    assert used.finish() == new.finish()


@given(noisy(), DECODERS)
@example(  # rivals that place a committed symbol later than the survivors place the next one
    typed("_" * 20, certainty=0.2, quiet=4, seed=26),
    {"beam": 8, "lm": LM, "stability_s": 0.0, "endpoint_s": 0.2},
)
def test_spans_are_in_order_and_partials_change(frames: Frames, settings: dict[str, Any]) -> None:
    decoder = stream(**settings)
    out = [*outputs(decoder, frames, []), *decoder.finish()]
    for text in finals(out):
        assert 0 <= text.samples[0] < text.samples[1] <= len(frames) * FRAME
        assert text.raw_confidence is not None
        assert 0.0 <= text.raw_confidence <= 1.0
        assert text.nbest
    starts = [text.samples[0] for text in finals(out)]
    assert starts == sorted(starts)
    shown = [o.symbols for o in out if isinstance(o, Text) and o.kind == "partial"]
    assert all(a != b for a, b in pairwise(shown))
    assert not shown or shown[-1] == ()  # after the end nothing is left


def n_differing(text: str, seed: int, *, beam: int, uncut_beam: int) -> int:
    """Return the frames after which finals and tail are not the best of a beam that never cuts."""
    frames = typed(text, certainty=0.9, quiet=6, seed=seed)
    decoder = stream(beam=beam, endpoint_s=10.0, stability_s=0.2)
    uncut = PrefixBeam(len(VOCABULARY), width=uncut_beam)
    committed, found = "", 0
    for t, frame in enumerate(frames):
        new = decoder.push(frame[None], first_sample=t * FRAME)
        committed = transcript([Text("final", committed, (), (0, 0)), *finals(new)])
        uncut.step(frame.astype(np.float64), t * FRAME)
        best = "".join(VOCABULARY[s] for s in uncut.tail)
        found += committed + decoder.partial().text != best
    return found


@given(st.text(alphabet="ab ", min_size=1, max_size=30), st.integers(0, 2**32))
@example("aaaaaaaaaaa", 365)  # here a beam of 8 and one of 64 differ in a frame
def test_where_all_rivals_must_agree_commits_lose_nothing(text: str, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.commit.AGREE_MARGIN", np.inf)
        patch.setattr("pipeline.commit.PATIENCE", 1 << 30)
        assert n_differing(text, seed, beam=8, uncut_beam=8) == 0


def test_as_they_are_commits_of_a_narrow_beam_hardly_ever_differ_from_a_wide_one() -> None:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(["a", "b", " "], size=rng.integers(1, 31))) for _ in range(40)]
    assert sum(n_differing(text, k, beam=8, uncut_beam=64) for k, text in enumerate(texts)) == 0


def test_text_is_final_when_stable_and_the_rest_at_the_endpoint() -> None:
    decoder = stream(beam=8, stability_s=0.5, endpoint_s=1.0)
    out = decoder.push(typed("ab ab" + "_" * 6), first_sample=1000)
    assert transcript(finals(out)) == "ab ab"
    assert partials(out)[:2] == ["a", "ab"]
    assert partials(out)[-1] == ""
    first = finals(out)[0]
    assert first.symbols == ("a",)
    assert first.samples == (1000, 1000 + FRAME)
    assert not first.tainted
    assert first.raw_confidence is not None
    assert first.raw_confidence > 0.9
    last = max(o.samples[1] for o in finals(out))
    assert last == 1000 + 41 * FRAME


@pytest.mark.parametrize("lm", [None, LM])
def test_the_endpoint_comes_after_its_silence_and_not_before(lm: LanguageModel | None) -> None:
    decoder = stream(lm, beam=8, stability_s=10.0, endpoint_s=1.0)
    out = decoder.push(typed("ab"), first_sample=0)
    last_frame = 10
    for t in range(20, 80):
        new = decoder.push(typed("_", quiet=0), first_sample=t * FRAME)
        out += new
        if finals(new):
            assert t == last_frame + 50
            break
    assert [o.text for o in finals(out)] == ["ab"]
    hypothesis = finals(out)[0].nbest[0]
    assert hypothesis.text == "ab"
    if lm is not None:  # the end is impossible after b, and costs the floor
        a, b = VOCABULARY.index("a"), VOCABULARY.index("b")
        after_a = lm.advance(lm.start, a)
        expected = lm.scores(lm.start)[a] + lm.scores(after_a)[b] + lm.end(lm.advance(after_a, b))
        assert hypothesis.lm_score == pytest.approx(expected)
        assert lm.end(lm.advance(after_a, b)) == lm.floor


def test_after_an_endpoint_a_new_sentence_begins() -> None:
    decoder = stream(LM, beam=8, endpoint_s=0.4, stability_s=0.2)
    decoder.push(typed("ab" + "_" * 5), first_sample=0)
    out = decoder.push(typed("b"), first_sample=10_000)
    lm_score = next(o for o in out if isinstance(o, Text)).nbest[0].lm_score
    assert lm_score == pytest.approx(LM.scores(LM.start)[VOCABULARY.index("b")])


def test_backspace_is_a_final_of_its_own() -> None:
    decoder = stream(beam=8)
    out = decoder.push(typed("ab<b" + "_" * 6), first_sample=0)
    assert transcript(finals(out)) == "ab"
    assert [(o.delete, o.text, o.symbols) for o in finals(out)] == [
        (0, "a", ("a",)),
        (0, "b", ("b",)),
        (1, "", ("<backspace>",)),
        (0, "b", ("b",)),
    ]
    late = stream(beam=8, stability_s=10.0, endpoint_s=10.0)
    assert partials(late.push(typed("ab<b"), first_sample=0)) == ["a", "ab", "a", "ab"]


def test_a_partial_can_take_back_committed_text() -> None:
    decoder = stream(beam=8, stability_s=0.1)
    out = decoder.push(typed("a", quiet=20), first_sample=0)
    assert transcript(finals(out)) == "a"
    now = decoder.push(typed("<", quiet=1), first_sample=10_000)
    assert [(o.kind, o.delete, o.text) for o in now if isinstance(o, Text)] == [("partial", 1, "")]


def test_whole_words_are_committed_except_at_an_endpoint() -> None:
    decoder = stream(beam=8, commit_words=True, stability_s=0.2)
    out = decoder.push(typed("ab ba", quiet=9), first_sample=0)
    assert [o.text for o in finals(out)] == ["ab "]
    out += decoder.push(typed("_" * 7), first_sample=10_000)
    assert [o.text for o in finals(out)] == ["ab ", "ba"]


def test_an_endless_word_is_committed_in_parts() -> None:
    decoder = stream(method="greedy", commit_words=True, stability_s=0.2)
    out = decoder.push(typed("ab" * LONGEST_WORD, quiet=1), first_sample=0)
    assert len(transcript(finals(out))) == LONGEST_WORD
    assert len(decoder.partial().text) == LONGEST_WORD


def test_a_doubtful_symbol_does_not_hold_back_the_rest_for_ever() -> None:
    unsure = typed("a", quiet=39)
    unsure[0] = np.log([0.02, 0.51, 0.45, 0.01, 0.01])
    decoder = stream(beam=8, stability_s=0.2)
    assert finals(decoder.push(unsure, first_sample=0)) == []
    out = decoder.push(typed("ab" * 8), first_sample=len(unsure) * FRAME)
    doubtful, *later = finals(out)
    assert doubtful.text == "a"
    assert doubtful.raw_confidence is not None
    assert doubtful.raw_confidence < 0.6
    assert min(o.raw_confidence or 0.0 for o in later) > 0.8


def test_an_unsure_piece_is_abstained_from_and_says_so() -> None:
    unsure = typed("a" + "_" * 6, quiet=9)
    unsure[0] = np.log([0.02, 0.51, 0.45, 0.01, 0.01])
    decoder = stream(beam=8, abstain_below=0.8)
    out = decoder.push(unsure, first_sample=0)
    assert finals(out) == []
    (event,) = [o for o in out if isinstance(o, Event)]
    assert (event.kind, event.sample) == ("abstained", FRAME)
    assert event.figures["text"] == "a"
    assert 0.2 < float(event.figures["confidence"] or 0.0) < 0.4  # emitted .51, share .53
    assert partials(out)[-1] == ""
    assert finals(stream(beam=8).push(unsure, first_sample=0)) != []


def test_finish_commits_the_rest_and_may_be_followed_by_more() -> None:
    decoder = stream(LM, beam=8)
    assert decoder.finish() == []
    decoder.push(typed("ab"), first_sample=0)
    out = decoder.finish()
    assert [o.text for o in finals(out)] == ["ab"]
    assert partials(out) == [""]
    assert decoder.finish() == []
    out = [*decoder.push(typed("b"), first_sample=5000), *decoder.finish()]
    assert transcript(finals(out)) == "b"


def test_only_pieces_with_a_tainted_frame_are_tainted() -> None:
    decoder = stream(beam=8)
    out = decoder.push(typed("a"), first_sample=0)
    out += decoder.push(typed("b"), first_sample=10 * FRAME, tainted=True)
    out += decoder.push(typed("a" + "_" * 12), first_sample=20 * FRAME)
    assert [(o.text, o.tainted) for o in finals(out)] == [("a", False), ("b", True), ("a", False)]


def test_a_frame_that_is_not_a_number_is_silence_and_tainted() -> None:
    for broken in (np.nan, np.inf, -np.inf):
        frames = typed("a_b" + "_" * 7, quiet=4)
        frames[1] = broken
        out = stream(beam=8).push(frames, first_sample=0)
        assert transcript(finals(out)) == "ab"
        assert all(np.isfinite(h.score) for o in finals(out) for h in o.nbest)
    frames[0:3] = np.nan
    assert partials(stream(beam=8).push(frames[:4], first_sample=0)) == []


def test_impossible_frames_extinguish_nothing() -> None:
    frames = np.full((3, len(VOCABULARY)), -np.inf, np.float32)
    frames[:, 4] = -9.0
    decoder = stream(beam=4)
    decoder.push(frames, first_sample=0)
    out = decoder.push(typed("a" + "_" * 7), first_sample=15)
    assert "a" in "".join(o.text for o in finals(out))


def test_every_commit_is_counted_from_one() -> None:
    """Model scores neither grow nor lose precision with the hours."""
    decoder = stream(LM, beam=8)
    out: list[Output] = []
    frames = typed("a ba" + "_" * 8, certainty=0.95)
    for k in range(40):
        out += decoder.push(frames, first_sample=k * len(frames) * FRAME)
    scores = [o.nbest[0].model_score for o in finals(out)]
    assert transcript(finals(out)) == "a ba" * 40
    assert min(scores) > -60.0
    assert max(len(o.symbols) for o in out if isinstance(o, Text)) <= 4


def test_long_silence_says_nothing_and_keeps_no_state() -> None:
    decoder = stream(LM, beam=8, length_bonus=0.5)
    rng = np.random.default_rng(1)
    for k in range(40):  # 80 s in which something is always a little likely
        p = 0.02 * rng.dirichlet([1.0] * len(VOCABULARY), size=100)
        p[:, 0] += 0.98
        out = decoder.push(
            np.log(p).astype(np.float32), first_sample=k * 100 * FRAME, tainted=k % 2 == 1
        )
        assert out == []
    partial = decoder.partial()
    assert (partial.text, partial.raw_confidence) == ("", None)
    assert partial.nbest[0].model_score > -5.0
    assert len(decoder._tainted) <= 1


def test_a_gap_in_time_counts_as_silence() -> None:
    decoder = stream(beam=8)
    assert finals(decoder.push(typed("a"), first_sample=0)) == []
    out = decoder.push(typed("_"), first_sample=2000)
    assert [o.text for o in finals(out)] == ["a"]


def test_partial_before_anything_is_empty() -> None:
    assert stream().partial() == Text("partial", "", (), (0, 0))


@pytest.mark.parametrize("shape", [(3, 4), (3, 6), (5,), (1, 3, 5)])
def test_frames_of_another_vocabulary_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"log_probs: got shape .*, expected \(n_frames, 5\)"):
        stream().push(np.zeros(shape, np.float32), first_sample=0)


def test_frames_that_overlap_the_past_are_refused() -> None:
    decoder = stream()
    decoder.push(typed("a"), first_sample=0)
    with pytest.raises(ValueError, match="first_sample: got 45, expected 50 or later"):
        decoder.push(typed("a"), first_sample=45)


def test_a_vocabulary_without_a_blank_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the blank '' first"):
        CtcStream(CtcDecoder(), ("a", "b"), None, frame_samples=1, rate_hz=50.0)
    with pytest.raises(ValueError, match=r"decoder\.stability_s: 0\.333 s"):
        stream(stability_s=0.333)


def test_no_frames_change_nothing() -> None:
    decoder = stream()
    assert decoder.push(np.zeros((0, len(VOCABULARY)), np.float32), first_sample=0) == []
    assert decoder.partial() == stream().partial()
