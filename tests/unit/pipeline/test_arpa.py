"""ARPA text: what is read, and that anything else is refused with its line."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.arpa import MAX_LINE, read_arpa
from pipeline.errors import BundleError

SMALL = """
made by hand
\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-99\t<s>\t-0.3
-0.7\t</s>
-0.6\ta\t-0.2
-0.5\tb\t-0.1
-1.2\t<sp>

\\2-grams:
-0.2\t<s> a\t-0.4
-0.4\ta b\t0.1
-0.9\tb a
-0.8\tb </s>

\\3-grams:
-0.1\t<s> a b
-0.3\ta b a

\\end\\
"""


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def test_the_arrays_of_a_small_model() -> None:
    arpa = read_arpa(lines(SMALL))
    assert arpa.order == 3
    assert arpa.tokens == ("<s>", "</s>", "a", "b", "<sp>")
    assert arpa.depth.tolist() == [0] + [1] * 5 + [2] * 4 + [3] * 2
    assert arpa.token[arpa.first_child[4] : arpa.first_child[5]].tolist() == [1, 2]  # after b
    b_a = 9
    assert arpa.token[b_a] == 2
    assert arpa.log_p[b_a] == pytest.approx(-0.9 * math.log(10))
    assert arpa.suffix[b_a] == 3  # b a -> a
    a_b_a = 11
    assert arpa.suffix[a_b_a] == b_a
    assert arpa.back_off[7] == pytest.approx(0.1 * math.log(10))


def test_any_white_space_and_line_end_will_do() -> None:
    spaced = read_arpa(lines(SMALL.replace("\t", "  ").replace("\n", "\r\n")))
    tabbed = read_arpa(lines(SMALL))
    assert np.array_equal(spaced.log_p, tabbed.log_p)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("\\end\\\n", "", 24, r"ends here, expected \\end\\"),
        ("ngram 2=4", "ngram 2=5", 21, "4 2-grams, .* counts 5"),
        ("ngram 2=4", "ngram 2=3", 19, "more 2-grams than the 3"),
        ("ngram 2=4", "ngram 4=4", 5, "expected ngram 2="),
        ("ngram 3=2", "ngram 3=two", 6, "expected ngram 3="),
        ("ngram 3=2", "ngram 3=3000000", 6, "at most order 32 and 2000000"),
        ("-0.9\tb a", "nan\tb a", 18, "'nan', expected a finite number"),
        ("-0.9\tb a", "-inf\tb a", 18, "'-inf', expected a finite number"),
        ("-0.9\tb a", "0.9\tb a", 18, "'0.9', expected a finite number of at most 0.0001"),
        ("-0.9\tb a", "-0.9x\tb a", 18, "'-0.9x', expected a number"),
        ("-0.9\tb a", "-0.9\tb a\t-1e999", 18, "'-1e999', expected a finite number"),
        ("-0.9\tb a", "-0.9\tb", 18, "2 fields, expected 3 or 4"),
        ("-0.9\tb a", "-0.9\ta b", 18, "'a b' is here a second time"),
        ("-0.9\tb a", "-0.9\tb c", 18, "token 'c' is not among the 1-grams"),
        ("-0.9\tb a", "-0.9\tc a", 18, "'c a' without its context 'c'"),
        ("-0.5\tb", "-0.5\ta", 12, "'a' is here a second time"),
        ("\\2-grams:", "\\3-grams:", 15, "expected \\\\2-grams:"),
        ("\\data\\", "\\dada\\", 25, "ends here, expected \\\\data\\\\"),
        ("ngram 1=5\n", "", 4, "expected ngram 1="),
        ("-0.9\tb a", "-0.9\tb " + "a" * MAX_LINE, 18, "characters long, must be at most 4096"),
    ],
)
def test_a_fault_is_told_with_its_line(old: str, new: str, line: int, says: str) -> None:
    with pytest.raises(BundleError, match=rf"^some\.arpa, line {line}: .*{says}"):
        read_arpa(lines(SMALL.replace(old, new, 1)), where="some.arpa")


def test_an_empty_text_and_one_without_counts_are_refused() -> None:
    for text in ("", "\\data\\\n\\end\\\n", "\\data\\\nngram 1=0\n\\1-grams:\n\\end\\\n"):
        with pytest.raises(BundleError, match=r"^lm\.arpa, line \d+: "):
            read_arpa(lines(text))


@given(cut=st.integers(0, len(SMALL) - len("\\end\\\n\n")))
def test_any_truncated_model_is_refused(cut: int) -> None:
    with pytest.raises(BundleError):
        read_arpa(lines(SMALL[:cut]))


@given(
    place=st.integers(0, len(SMALL) - 1),
    n_gone=st.integers(0, 8),
    junk=st.text(alphabet="\\-:=ab<sp>0123456789.e \t\n\x00é", max_size=8),
)
@example(place=40, n_gone=0, junk="\n")
def test_a_mutated_model_is_read_or_refused(place: int, n_gone: int, junk: str) -> None:
    text = SMALL[:place] + junk + SMALL[place + n_gone :]
    try:
        arpa = read_arpa(lines(text))
    except BundleError:
        return
    assert np.isfinite(arpa.log_p).all()
    assert np.isfinite(arpa.back_off).all()
    assert arpa.first_child[-1] == len(arpa.token)
