"""``--trials 0-3,5``: numbers and ranges, both ends included."""

from __future__ import annotations

from pipeline.errors import UsageError


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
