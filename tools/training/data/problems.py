"""What is wrong with the data: gathered, so that one reading tells of all of it, up to a limit."""

from __future__ import annotations

from pipeline.errors import RecordingError


class Problems:
    """Counts and keeps what was left out and why; gives up when there is too much of it.

    Args:
        limit: as many problems stop the reading.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        """Keep one problem: what, and where, in one line.

        Raises:
            RecordingError: that makes :attr:`limit`; names each of them, a line each.
        """
        self._lines.append(" ".join(line.split()))
        if len(self._lines) >= self._limit:
            listed = "\n".join(f"  {line}" for line in self._lines)
            many = "1 error" if self._limit == 1 else f"{self._limit} errors"
            raise RecordingError(f"{many} in the data, stopped there (max_errors):\n{listed}")

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them so far, in the order in which they were found."""
        return tuple(self._lines)
