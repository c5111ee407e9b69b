"""Symbols as text, with actions."""

from __future__ import annotations

import pytest

from pipeline.ctc import Emission
from pipeline.tail_text import is_action, read_tail, split_at_actions

VOCABULARY = ("", "a", "b", "<backspace>", "<enter>")


@pytest.mark.parametrize(
    ("symbols", "delete", "text"),
    [
        ("", 0, ""),
        ("ab", 0, "ab"),
        ("ab<", 0, "a"),
        ("<", 1, ""),
        ("a<<b", 1, "b"),
        ("<<a", 2, "a"),
        ("a>b", 0, "ab"),
    ],
)
def test_backspace_takes_from_the_tail_then_from_what_is_before_it(
    symbols: str, delete: int, text: str
) -> None:
    names = {"<": "<backspace>", ">": "<enter>"}
    assert read_tail(names.get(s, s) for s in symbols) == (delete, text)


def test_symbols_of_several_characters_are_text() -> None:
    assert read_tail(["th", "e", "<backspace>"]) == (0, "th")


@pytest.mark.parametrize("symbol", ["<", ">", "<>", "a", "", "<a", "a>"])
def test_what_is_no_action(symbol: str) -> None:
    assert not is_action(symbol)


def test_actions_stand_alone() -> None:
    emissions = [Emission(s, k, k, -1.0) for k, s in enumerate([1, 2, 3, 3, 1, 4, 2])]
    pieces = split_at_actions(emissions, VOCABULARY)
    assert [[e.symbol for e in piece] for piece in pieces] == [[1, 2], [3], [3], [1], [4], [2]]
    assert split_at_actions([], VOCABULARY) == []
