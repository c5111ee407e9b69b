"""A run of symbols as text: actions are not text, and ``<backspace>`` takes text away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

BACKSPACE = "<backspace>"


class Placed(Protocol):
    """A symbol of the vocabulary with its place."""

    @property
    def symbol(self) -> int:
        """Its index."""


P = TypeVar("P", bound=Placed)


def is_action(symbol: str) -> bool:
    """Tell whether a symbol is an action: a name in angle brackets."""
    return len(symbol) > 2 and symbol.startswith("<") and symbol.endswith(">")


def read_tail(symbols: Iterable[str]) -> tuple[int, str]:
    """Return how many characters the symbols delete before them, and the text they leave."""
    delete, text = 0, ""
    for symbol in symbols:
        if not is_action(symbol):
            text += symbol
        elif symbol == BACKSPACE:
            delete += not text
            text = text[:-1]
    return delete, text


def split_at_actions(emissions: list[P], vocabulary: Sequence[str]) -> list[list[P]]:
    """Return runs of text, and each action by itself, in order."""
    pieces: list[list[P]] = []
    in_text = False
    for emission in emissions:
        acts = is_action(vocabulary[emission.symbol])
        if acts or not in_text:
            pieces.append([])
        pieces[-1].append(emission)
        in_text = not acts
    return pieces
