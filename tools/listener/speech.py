"""Turns finals into lines to be spoken: whole words, and a word again where it was corrected.

Finals may be letters, and letters come back off; what was not spoken yet is corrected silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.wire.messages import Final

PAUSE_S = 1.0
"""After this long without a final, a word that no space has ended is spoken too."""


class Speech:
    """What is still to be spoken of one stream. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._waiting = ""
        self._heard_s = 0.0

    def take(self, final: Final, *, now_s: float) -> str:
        """Return the words that ``final`` completes, "" if none."""
        self._heard_s = now_s
        if final.delete <= len(self._waiting):
            self._waiting = self._waiting[: len(self._waiting) - final.delete] + final.text
        else:
            self._waiting = corrected(final)
        words = self._waiting[: _last_space(self._waiting)]
        self._waiting = self._waiting[len(words) :]
        return words.strip()

    def pause(self, *, now_s: float) -> str:
        """Return the rest if it has waited long enough, else ""."""
        return self.rest() if now_s - self._heard_s >= PAUSE_S else ""

    def rest(self) -> str:
        """Return what is left to speak."""
        words, self._waiting = self._waiting, ""
        return words.strip()


def corrected(final: Final) -> str:
    """Return the text of ``final`` from the start of the word that it changes."""
    kept = final.transcript[: max(0, len(final.transcript) - len(final.text))]
    return kept[_last_space(kept) :] + final.text


def _last_space(text: str) -> int:
    """Return where the text after the last white space begins."""
    return next((n for n in range(len(text), 0, -1) if text[n - 1].isspace()), 0)
