from __future__ import annotations

import pytest

from pipeline.values import Text
from tools.training.transcribe import (
    ErrorCount,
    cer_interval,
    count_errors,
    right_pieces,
    sum_errors,
    transcript_of,
)


def pieces(*texts: str) -> list[Text]:
    return [Text("final", text, tuple(text), (0, 1)) for text in texts]


def test_errors_are_counted_over_all_characters() -> None:
    pairs = [("abcd", "abd"), ("x", "xy"), ("pq", "pz")]
    found = sum_errors(count_errors(truth, said) for truth, said in pairs)
    assert (found.deletions, found.insertions, found.substitutions) == (1, 1, 1)
    assert found.cer == pytest.approx(3 / 7)


def test_silence_is_wrong_once_a_character() -> None:
    assert count_errors("abc", "").cer == 1.0


def test_the_interval_holds_the_rate_and_is_a_point_where_all_are_alike() -> None:
    counts = [ErrorCount(1, 0, 0, 10)] * 5 + [ErrorCount(0, 0, 0, 10)] * 15
    low, high = cer_interval(counts)
    assert 0.0 <= low < sum_errors(counts).cer < high < 0.1
    assert cer_interval([ErrorCount(1, 0, 0, 4)] * 8) == (0.25, 0.25)


def test_a_later_piece_may_delete_what_was_there() -> None:
    assert transcript_of([*pieces("ab"), Text("final", "c", ("c",), (0, 1), delete=1)]) == "ac"


@pytest.mark.parametrize(
    ("truth", "said", "right"),
    [
        ("hello you", ["hello", " you"], [True, True]),
        ("hello you", ["hallo", " you"], [False, True]),
        ("hello you", ["hello", "you"], [True, False]),
        ("hello you", ["hello", " yo"], [True, False]),
        ("hello", ["hello", "x"], [True, False]),
        ("hello", [], []),
    ],
)
def test_a_piece_is_right_where_the_alignment_is(
    truth: str, said: list[str], right: list[bool]
) -> None:
    assert right_pieces(truth, pieces(*said)) == right
