from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.seq2seq import Found
from pipeline.seq2seq_doubt import (
    LONGEST_GRAM,
    LOOPS,
    ends_before,
    n_before_jump,
    n_before_loop,
    n_shared,
)


@pytest.mark.parametrize(
    ("symbols", "believed"),
    [
        ("", ""),
        ("hello", "hello"),
        ("aaa", "aaa"),
        ("aaaa", "a"),
        ("xaaaaaaa", "xa"),
        ("no no no", "no no no"),
        ("no no no no ", "no "),
        ("no no no no", "no no no no"),
        ("abcabcabcabc", "abc"),
        ("xyabcabcabcabcz", "xyabc"),
        ("ababababaaaa", "ab"),
        ("aaaabababab", "a"),
    ],
)
def test_a_loop_is_believed_once(symbols: str, believed: str) -> None:
    assert symbols[: n_before_loop([ord(s) for s in symbols])] == believed


@given(
    before=st.lists(st.integers(10, 99), unique=True, max_size=10),
    gram=st.lists(st.integers(1, 9), unique=True, min_size=1, max_size=LONGEST_GRAM),
    n=st.integers(1, 6),
)
def test_any_gram_said_often_enough_is_a_loop(before: list[int], gram: list[int], n: int) -> None:
    n_believed = n_before_loop(before + gram * n)
    assert n_believed == len(before) + len(gram) * (1 if n >= LOOPS else n)


def test_a_jump_back_is_measured_from_the_furthest_place() -> None:
    assert n_before_jump([], start=50, most_back=10) == 0
    assert n_before_jump([40, 60, 55], start=50, most_back=10) == 3
    assert n_before_jump([39, 60], start=50, most_back=10) == 0
    assert n_before_jump([60, 52, 49, 80], start=50, most_back=10) == 2


def test_a_text_ends_before_what_nothing_looks_at() -> None:
    attention = np.zeros((3, 10), dtype=np.float32)
    attention[[0, 1, 2], [2, 4, 5]] = 0.95
    attention[:, 8] = 0.05
    found = Found((1, 2), 0, 0, 0, 0, (-1, -1), (0, 0), math.log(0.9), 0, 0, attention)
    assert ends_before(6, found)
    assert not ends_before(5, found)
    assert not ends_before(10, found)
    assert not ends_before(6, replace(found, end_log_p=math.log(0.4)))


def test_what_all_begin_with() -> None:
    assert n_shared((1, 2, 3), []) == 3
    assert n_shared((1, 2, 3), [(1, 2, 4), (1, 2)]) == 2
    assert n_shared((1, 2, 3), [()]) == 0
