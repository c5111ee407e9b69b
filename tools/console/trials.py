"""``--trials 0-3,5``: numbers and ranges, both ends included; each must be in the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.markers import STIMULUS, TRIAL_START, decoding_marker, split_marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def parse_trials(text: str | None) -> frozenset[int] | None:
    """Return the set of trial numbers, None for all.

    Raises:
        UsageError: anything but numbers and ranges.
    """
    if text is None:
        return None
    chosen: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(
                f"--trials {text}: got {part!r}, wanted numbers and ranges such as 0-3,5"
            )
        start, stop = int(first), int(last or first)
        if stop < start or stop > 1_000_000:
            raise UsageError(f"--trials {text}: got {part!r}, wanted an ascending range")
        chosen.update(range(start, stop + 1))
    return frozenset(chosen)


def check_trials(chosen: frozenset[int] | None, *, n_trials: int, where: str) -> None:
    """Refuse numbers that are no trial's; ``where`` names the recording.

    Raises:
        UsageError: names the first such number.
    """
    absent = min((number for number in chosen or () if number >= n_trials), default=None)
    if absent is not None:
        has = f"its trials are 0 to {n_trials - 1}" if n_trials else "it has no trials"
        raise UsageError(f"--trials: got {absent}, which {where} lacks: {has}")


def count_trials(markers: Iterable[str], names: Mapping[str, str]) -> int:
    """Return how many trials a recording may hold.

    Without ``trial:start`` any stimulus may begin one, as in :mod:`pipeline.selection`.

    Args:
        markers: the texts, as they arrived.
        names: foreign marker texts to ours.
    """
    ours = [decoding_marker(text, names) or "" for text in markers]
    n_starts = ours.count(TRIAL_START)
    return n_starts or sum(split_marker(text)[0] == STIMULUS for text in ours)
