from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.evaluation.edits import Unit, cross_edits, edits
from tools.evaluation.pairwise import MOST_CELLS, Pairwise, blocks

TEXTS = ["a b", "b", "a b c d", "b", "c a"]
SAID = ["a", "b b", "", "d c b a", "c a"]


@pytest.mark.parametrize("unit", ["words", "characters", "selections"])
def test_parts_are_those_of_the_whole_table(unit: Unit) -> None:
    pairs, distinct = Pairwise(TEXTS, SAID, unit), sorted(set(TEXTS))
    assert [distinct[k] for k in pairs.of] == TEXTS
    texts, rows = np.array([3, 0]), np.array([4, 1, 2])
    whole = cross_edits(distinct, SAID, unit)
    np.testing.assert_array_equal(pairs.edits(texts, rows), whole[np.ix_(texts, rows)])
    np.testing.assert_array_equal(pairs.own_edits(), edits(TEXTS, SAID, unit))


def test_lengths_are_apart_in_units() -> None:
    pairs = Pairwise(TEXTS, SAID, "words")  # texts: a b, a b c d, b, c a
    rows = np.array([0, 3])
    assert pairs.apart(np.arange(4), rows).tolist() == [[1, 2], [3, 0], [0, 3], [1, 2]]
    assert pairs.own_apart().tolist() == [1, 1, 4, 3, 0]


@settings(max_examples=30)
@given(st.integers(0, 50), st.sampled_from([0, 1, MOST_CELLS // 7, MOST_CELLS, 3 * MOST_CELLS]))
def test_blocks_follow_each_other_and_are_small(n_lines: int, n_columns: int) -> None:
    found = list(blocks(n_lines, n_columns=n_columns))
    assert [k for one in found for k in range(n_lines)[one]] == list(range(n_lines))
    assert all(
        one.stop - one.start == 1 or (one.stop - one.start) * n_columns <= MOST_CELLS
        for one in found
    )
