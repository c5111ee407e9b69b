from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.training.data.corpus import Corpus, Recorded
from tools.training.data.cuts import LEAST_REST_S, LONGEST_REST_S, cut_corpus
from tools.training.data.labelled_text import FOREVER, TextSpan


def corpus(
    spans: list[tuple[int, int]], *, n_samples: int, lost: tuple[tuple[int, int], ...] = ()
) -> Corpus:
    texts = tuple(TextSpan("ab", start, stop) for start, stop in spans)
    path = Path("a.npy")
    recorded = Recorded(path, (path,), "", "ada", "1", 100.0, ("Fz",), n_samples, texts, lost)
    return Corpus((recorded,), ())


def test_texts_keep_a_margin_of_rest_and_share_what_is_short() -> None:
    cuts = cut_corpus(corpus([(50, 200), (240, 300), (300, 400)], n_samples=450), margin_s=1.0)
    assert [(c.start, c.stop, c.rest) for c in cuts] == [
        (0, 220, (50, 20)), (220, 300, (20, 0)), (300, 450, (0, 50)),
    ]  # fmt: skip
    assert [c.text_samples for c in cuts] == [150, 60, 100]


def test_long_rests_are_examples_as_many_as_there_are_texts() -> None:
    cuts = cut_corpus(corpus([(1000, 1100)], n_samples=10_000), margin_s=1.0)
    assert [c.text for c in cuts] == ["ab", ""]
    assert cuts[1].rest == (cuts[1].n_samples,) * 2
    assert cuts[1].text_samples == 0


def test_what_may_hold_a_text_that_nobody_can_use_is_no_rest() -> None:
    lost = ((-5, 600), (1500, FOREVER))
    cuts = cut_corpus(corpus([(1000, 1100)], n_samples=9_000, lost=lost), margin_s=1.0)
    assert [(c.start, c.stop) for c in cuts] == [(900, 1200)]
    cuts = cut_corpus(corpus([(1000, 1100)], n_samples=9_000, lost=((0, FOREVER),)), margin_s=1.0)
    assert [(c.start, c.stop, c.rest) for c in cuts] == [(1000, 1100, (0, 0))]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(1, 4000), min_size=1, max_size=12),
    st.floats(0.0, 3.0),
    st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 2000)), max_size=2),
)
def test_no_sample_is_in_two_examples_and_rest_is_rest(
    lengths: list[int], margin_s: float, lost: list[tuple[int, int]]
) -> None:
    edges = np.cumsum([0, *lengths])
    spans = [(int(a), int(b)) for a, b in pairwise(edges)][1::2]
    gone = tuple((start, start + n) for start, n in lost)
    spans = [s for s in spans if not any(a < s[1] and s[0] < b for a, b in gone)]
    n_samples = int(edges[-1])
    given_corpus = corpus(spans, n_samples=n_samples, lost=gone)
    cuts = cut_corpus(given_corpus, margin_s=margin_s)
    taken = np.zeros(n_samples, np.int64)
    is_text = np.zeros(n_samples, np.bool_)
    for start, stop in (*spans, *gone):
        is_text[start:stop] = True
    for cut in cuts:
        taken[cut.start : cut.stop] += 1
        if cut.text:
            assert (cut.start + cut.rest[0], cut.stop - cut.rest[1]) in spans
            assert max(cut.rest) <= round(margin_s * 100)
            assert not is_text[cut.start : cut.start + cut.rest[0]].any()
            assert not is_text[cut.stop - cut.rest[1] : cut.stop].any()
        else:
            assert not is_text[cut.start : cut.stop].any()
            assert 100 * LEAST_REST_S / 2 <= cut.n_samples <= 100 * LONGEST_REST_S + 1
    assert taken.max(initial=0) <= 1
    assert sum(1 for cut in cuts if cut.text) == len(spans)
    assert sum(1 for cut in cuts if not cut.text) <= len(spans)
