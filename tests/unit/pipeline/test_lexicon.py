"""Pronunciations: the tree, and every fault of a text told with its line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import BundleError
from pipeline.lexicon import MAX_SYMBOLS, Lexicon, boundary_of, read_lexicon

VOCABULARY = ("", "a", "b", "c", "SIL")


def said(lexicon: Lexicon) -> set[tuple[str, tuple[int, ...]]]:
    """Walk the tree and read the lexicon off it."""
    found = set()
    todo: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while todo:
        node, path = todo.pop()
        here = lexicon.word[lexicon.first_word[node] : lexicon.first_word[node + 1]]
        found |= {(lexicon.texts[w], path) for w in here}
        children = range(lexicon.first_child[node], lexicon.first_child[node + 1])
        symbols = [int(lexicon.symbol[child]) for child in children]
        assert symbols == sorted(set(symbols))
        todo += [(c, (*path, s)) for c, s in zip(children, symbols, strict=True)]
        assert all(lexicon.parent[child] == node for child in children)
    return found


PRONUNCIATIONS = st.sets(
    st.tuples(
        st.sampled_from(["to", "too", "two", "é", "don't"]),
        st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(tuple),
    ),
    min_size=1,
    max_size=30,
)


@given(PRONUNCIATIONS)
def test_the_tree_holds_what_the_text_says(
    pronunciations: set[tuple[str, tuple[str, ...]]],
) -> None:
    lines = [f"{word}\t{' '.join(symbols)}\n" for word, symbols in sorted(pronunciations)]
    lexicon = read_lexicon(lines, vocabulary=VOCABULARY)
    assert said(lexicon) == {
        (f"{word} ", tuple(VOCABULARY.index(s) for s in symbols))
        for word, symbols in pronunciations
    }
    prefixes = {s[:n] for _, s in pronunciations for n in range(len(s) + 1)}
    assert lexicon.n_nodes == len(prefixes)
    scores = np.random.default_rng(len(lines)).standard_normal(len(lexicon.texts))
    best = lexicon.best_below(scores)
    for node in range(lexicon.n_nodes):
        below = lexicon.word[lexicon.first_word[node] : lexicon.first_word[node + 1]]
        children = best[lexicon.first_child[node] : lexicon.first_child[node + 1]]
        assert best[node] == max([*scores[below], *children])


def test_the_symbol_between_words() -> None:
    assert boundary_of(VOCABULARY) == 4
    assert boundary_of(("", "a", " ")) == 2
    assert boundary_of(("", "a", "b")) is None
    lexicon = read_lexicon(["ab\ta b"], vocabulary=VOCABULARY)
    assert lexicon.boundary == 4
    assert lexicon.words() == ("ab",)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "no pronunciations"),
        (["", ""], "no pronunciations"),
        (["to"], "line 1: expected a word, a tab"),
        (["\ta"], "line 1: expected a word, a tab"),
        (["to\ta", "b\t"], "line 2: an empty symbol"),
        (["to\ta  b"], "line 1: an empty symbol"),
        (["to\ta x"], "line 1: symbol 'x' is not in the vocabulary"),
        (["to\ta SIL"], "line 1: symbol 'SIL' stands between words"),
        (["to\ta", "to\tb", "to\ta"], "line 3: 'to\\ta' is here a second time"),
        (["new york\ta"], "line 1: got the word 'new york'"),
        (["a\x00b\ta"], "line 1: got the word 'a\\x00b'"),
        (["<backspace>\ta"], "line 1: got the word '<backspace>'"),
        (["to\t" + "a " * MAX_SYMBOLS + "a"], f"line 1: {MAX_SYMBOLS + 1} symbols"),
        (["to\t" + "a" * 2000], "line 1: 2003 characters long"),
    ],
)
def test_faults_are_told_with_their_line(lines: list[str], problem: str) -> None:
    with pytest.raises(BundleError) as told:
        read_lexicon(lines, vocabulary=VOCABULARY, where="x/lexicon.txt")
    assert str(told.value).startswith("x/lexicon.txt")
    assert problem in str(told.value)


def test_too_many_pronunciations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.lexicon.MAX_PRONUNCIATIONS", 2)
    with pytest.raises(BundleError, match="line 3: more than 2"):
        read_lexicon(["a\ta", "b\tb", "c\tc"], vocabulary=VOCABULARY)


@given(st.text(max_size=60))
def test_any_text_is_a_lexicon_or_one_of_our_errors(text: str) -> None:
    try:
        lexicon = read_lexicon(text.split("\n"), vocabulary=VOCABULARY)
    except BundleError:
        return
    assert len(said(lexicon)) > 0
