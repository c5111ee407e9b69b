"""The commit rule over words: chunking, retraction, endpoints, abstention, silence."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.commit import CtcStream
from pipeline.ctc_lexicon import LexiconBeam, Words
from pipeline.lexicon import read_lexicon
from pipeline.spec import CtcDecoder
from pipeline.values import Event, Output, Text
from pipeline.word_language_model import WordLanguageModel

Frames = NDArray[np.float32]
VOCABULARY = ("", "a", "b", "c", "SIL")
FRAME = 5
RATE_HZ = 250.0  # 50 frames a second
SPELLED = ["to\ta", "too\ta", "ab\ta b", "bee\tb b", "cab\tc a b", "see\tc"]

ARPA = """\\data\\
ngram 1=7
ngram 2=4
\\1-grams:
-99\t<s>\t-0.3
-0.7\t</s>
-0.6\tto\t-0.2
-0.9\ttoo
-0.8\tab\t-0.3
-1.4\tbee
-1.9\t<unk>
\\2-grams:
-0.2\t<s> to
-0.4\tto ab
-0.2\tab too
-0.1\ttoo </s>
\\end\\
"""
SILENT = read_lexicon(SPELLED, vocabulary=VOCABULARY)
CLOSE = read_lexicon(SPELLED, vocabulary=VOCABULARY[:4])


@cache
def words(*, boundary: bool, model: bool) -> Words:
    lexicon = SILENT if boundary else CLOSE
    lm = WordLanguageModel.from_arpa(ARPA.splitlines(), words=lexicon.words(), floor=-5.0)
    return Words(lexicon, lm if model else None)


KINDS = st.sampled_from(
    [
        {"boundary": True, "model": False, "beam": 4},
        {"boundary": True, "model": True, "beam": 16, "lm_weight": 0.7, "length_bonus": 0.5},
        {"boundary": False, "model": True, "beam": 16, "lm_weight": 0.7},
        {"boundary": False, "model": False, "beam": 1, "stability_s": 0.0, "endpoint_s": 0.2},
        {"boundary": True, "model": True, "beam": 8, "lm_weight": 0.5, "abstain_below": 0.6},
    ]
)


def stream(*, boundary: bool = True, model: bool = False, **given_settings: Any) -> CtcStream:
    return CtcStream(
        CtcDecoder(method="lexicon", **given_settings),
        VOCABULARY if boundary else VOCABULARY[:4],
        None,
        frame_samples=FRAME,
        rate_hz=RATE_HZ,
        words=words(boundary=boundary, model=model),
    )


def said(symbols: str, *, n_symbols: int, certainty: float, quiet: int, seed: int = 0) -> Frames:
    """One frame a symbol, then ``quiet`` blank ones; ``|`` is SIL, ``_`` more quiet."""
    names = {"|": "SIL", "_": ""}
    path = []
    for symbol in symbols:
        index = VOCABULARY.index(names.get(symbol, symbol))
        path += [index if index < n_symbols else 0, *[0] * quiet]
    rng = np.random.default_rng(seed)
    p = (1 - certainty) * rng.dirichlet([1.0] * n_symbols, size=len(path))
    p[np.arange(len(path)), path] += certainty
    return np.log(p).astype(np.float32)


@st.composite
def noisy(draw: st.DrawFn, n_symbols: int) -> Frames:
    frames = said(
        draw(st.text(alphabet="aabc||_", min_size=1, max_size=14)) + "_" * draw(st.integers(0, 8)),
        n_symbols=n_symbols,
        certainty=draw(st.sampled_from([0.2, 0.5, 0.8, 0.95])),
        quiet=draw(st.integers(0, 9)),
        seed=draw(st.integers(0, 2**32)),
    )
    if draw(st.booleans()):
        frames[draw(st.integers(0, len(frames) - 1))] = np.nan
    return frames


def outputs(decoder: CtcStream, frames: Frames, cuts: list[int]) -> list[Output]:
    edges = [0, *sorted(cut % (len(frames) + 1) for cut in cuts), len(frames)]
    out: list[Output] = []
    for start, stop in pairwise(edges):
        out += decoder.push(frames[start:stop], first_sample=start * FRAME)
    return out


def finals(out: list[Output]) -> list[Text]:
    return [o for o in out if isinstance(o, Text) and o.kind == "final"]


def n_symbols_of(kind: dict[str, Any]) -> int:
    return 5 if kind["boundary"] else 4


@settings(max_examples=40)
@given(st.data(), KINDS, st.lists(st.integers(0, 200), max_size=12))
def test_any_chunking_gives_the_same_outputs(
    data: st.DataObject, kind: dict[str, Any], cuts: list[int]
) -> None:
    frames = data.draw(noisy(n_symbols_of(kind)))
    before = frames.copy()
    whole, pieces = stream(**kind), stream(**kind)
    assert outputs(whole, frames, []) == outputs(pieces, frames, cuts)
    assert whole.finish() == pieces.finish()
    assert np.array_equal(frames, before, equal_nan=True)


@settings(max_examples=40)
@given(st.data(), KINDS)
def test_finals_are_words_in_order_and_partials_change(
    data: st.DataObject, kind: dict[str, Any]
) -> None:
    frames = data.draw(noisy(n_symbols_of(kind)))
    decoder = stream(**kind)
    out = [*outputs(decoder, frames, []), *decoder.finish()]
    known = set(SILENT.texts)
    for text in out:
        if isinstance(text, Text):
            assert set(text.symbols) <= known
            assert text.text == "".join(text.symbols)
            assert text.raw_confidence is None or 0.0 <= text.raw_confidence <= 1.0
            assert text.delete == 0
    for text in finals(out):
        assert 0 <= text.samples[0] < text.samples[1] <= len(frames) * FRAME
        assert text.nbest
    starts = [text.samples[0] for text in finals(out)]
    assert starts == sorted(starts)
    shown = [o.symbols for o in out if isinstance(o, Text) and o.kind == "partial"]
    assert all(a != b for a, b in pairwise(shown))
    assert not shown or shown[-1] == ()


@settings(max_examples=20)
@given(st.data(), KINDS)
def test_reset_equals_new(data: st.DataObject, kind: dict[str, Any]) -> None:
    first, second = (data.draw(noisy(n_symbols_of(kind))) for _ in range(2))
    used, new = stream(**kind), stream(**kind)
    outputs(used, first, [])
    used.reset()
    assert outputs(used, second, []) == outputs(new, second, [])
    assert used.finish() == new.finish()


@pytest.mark.parametrize("boundary", ["SIL", ""])
def test_words_are_final_when_stable_and_the_rest_at_the_endpoint(boundary: str) -> None:
    kind = {"boundary": bool(boundary), "beam": 16, "length_bonus": -4.0}  # long words rather
    decoder = stream(**kind, stability_s=0.4, endpoint_s=1.0)
    symbols = "cab|bb|c_____" if boundary else "cabbbc_____"
    frames = said(symbols, n_symbols=n_symbols_of(kind), certainty=0.99, quiet=19)
    out = outputs(decoder, frames, [])
    written = [text.text for text in finals(out)]
    assert "".join(written) == "cab bee see "
    assert written[0] == "cab "  # long before the end
    assert decoder.finish() == []
    shown = [o.text for o in out if isinstance(o, Text) and o.kind == "partial"]
    assert "cab " in shown


def test_a_word_half_said_is_not_written() -> None:
    decoder = stream(beam=16, endpoint_s=0.4)
    frames = said("a|ca____", n_symbols=5, certainty=0.999, quiet=9)
    out = [*outputs(decoder, frames, []), *decoder.finish()]
    texts = "".join(text.text for text in finals(out))
    assert texts in ("to see ", "too see ", "to ", "too ")
    assert set(texts.split()) <= {"to", "too", "see"}


def test_an_unsure_word_is_abstained_from() -> None:
    decoder = stream(beam=16, abstain_below=0.9, endpoint_s=0.4)
    out = outputs(decoder, said("a|____", n_symbols=5, certainty=0.99, quiet=9), [])
    events = [o for o in out if isinstance(o, Event)]
    assert [e.kind for e in events] == ["abstained"]  # to or too: nobody can say
    assert events[0].figures["text"] in ("to ", "too ")
    assert finals(out) == []


def test_state_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for boundary in (True, False):
        n_symbols = 5 if boundary else 4
        search = LexiconBeam(words(boundary=boundary, model=True), width=16, lm_weight=0.5)
        monkeypatch.setattr("pipeline.commit.LexiconBeam", lambda *_, search=search, **__: search)
        decoder = stream(boundary=boundary, model=True, beam=16, lm_weight=0.5)
        longest = 0
        for k in range(25):
            frames = np.log(rng.dirichlet([0.3] * n_symbols, size=50)).astype(np.float32)
            decoder.push(frames, first_sample=k * 50 * FRAME)
            longest = max(longest, len(search.tail))
        assert longest < 60


def test_words_that_are_missing_are_asked_for() -> None:
    with pytest.raises(ValueError, match=r"decoder\.method: got lexicon, and no words"):
        CtcStream(
            CtcDecoder(method="lexicon"), VOCABULARY, None, frame_samples=FRAME, rate_hz=RATE_HZ
        )
