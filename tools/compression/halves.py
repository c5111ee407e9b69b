"""What a search may see, and what is kept from it to confirm what it found.

A search that tries twenty networks finds one that is good on these texts by luck. So the two parts
have no text in common and no session: what two sentences of one session share (how the cap sat, how
awake somebody was) must not help either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Row(NamedTuple):
    """What is judged: its text (of a trial, anything that is its own) and its session."""

    text: str
    session: str


def halves(rows: Sequence[Row]) -> tuple[list[int], list[int]]:
    """Return the places of two parts without text or session in common; the first session leads.

    Sessions go to one part as a whole, to the smaller one. A text of both is left to the smaller
    part and taken out of the other.

    Raises:
        RecordingError: nothing is left for one of them.
    """
    parts: tuple[list[int], list[int]] = ([], [])
    for session in dict.fromkeys(row.session for row in rows):
        _smaller(parts).extend(k for k, row in enumerate(rows) if row.session == session)
    texts = [{rows[k].text for k in part} for part in parts]
    for text in dict.fromkeys(row.text for row in rows):
        if text in texts[0] and text in texts[1]:
            loses = parts[1] if len(parts[0]) <= len(parts[1]) else parts[0]
            loses[:] = [k for k in loses if rows[k].text != text]
    if not (parts[0] and parts[1]):
        n_sessions = len({row.session for row in rows})
        raise RecordingError(
            f"held out: got {_count(n_sessions, 'session')} of {_texts(rows)}, wanted two or more"
            " of different texts: one part to search on, one to confirm on"
        )
    return sorted(parts[0]), sorted(parts[1])


def _smaller(parts: tuple[list[int], list[int]]) -> list[int]:
    return parts[0] if len(parts[0]) <= len(parts[1]) else parts[1]


def _texts(rows: Iterable[Row]) -> str:
    return _count(len({row.text for row in rows}), "text")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
