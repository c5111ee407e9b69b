"""The text of one stream and session, and the messages that tell of it.

A final is never altered: what takes back is a new final with ``delete``. Sequence numbers count
per topic from 0, so the messages made here must all be published, in this order.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runtime.wire.messages import EventMessage, Final, Health, Latency, ModelName, Partial, Topic

if TYPE_CHECKING:
    from pipeline.values import Event, Text

SHOWN_CHARACTERS = 1000
"""How much of the transcript's end a final carries."""

HELD_CHARACTERS = 1 << 16
"""How much of it is kept, and so how far ``delete`` can reach back."""


@dataclass(frozen=True, slots=True)
class When:
    """The times of one decode: its span on the LSL clock, and where the milliseconds went."""

    start_s: float | None
    end_s: float | None
    latency_ms: Latency


def new_session(now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> str:
    """Return a name for a session: its start in UTC, and eight random hex digits."""
    return f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


class Transcript:
    """Turns what the chain says into messages, and keeps the text they add up to.

    Owned by one thread. ``clock_ns`` gives the host's wall clock.
    """

    def __init__(
        self,
        *,
        stream: str,
        session: str,
        model: ModelName,
        every_decode: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.stream = stream
        self.session = session
        self.model = model
        self.length = 0
        self._every_decode = every_decode
        self._clock_ns = clock_ns
        self._held = ""
        self._seq: Counter[Topic] = Counter()
        self._last_partial = ""

    @property
    def n_finals(self) -> int:
        """How many finals were made."""
        return self._seq["text.final"]

    @property
    def end(self) -> str:
        """The last 1000 characters."""
        return self._held[-SHOWN_CHARACTERS:]

    def partial(self, text: Text, *, when: When, confidence: float | None) -> Partial | None:
        """Return the message of a partial; None if it says what the last one said.

        With ``every_decode`` there is always one.
        """
        if text.text == self._last_partial and not self._every_decode:
            return None
        self._last_partial = text.text
        return Partial(
            **self._envelope("text.partial"), **self._body(text, when=when, confidence=confidence)
        )

    def final(self, text: Text, *, when: When, confidence: float | None) -> Final:
        """Return the message of a final, after adding it to the transcript.

        Raises:
            ValueError: it deletes more characters than there are, or than are held.
        """
        if not 0 <= text.delete <= len(self._held):
            raise ValueError(
                f"final {self.n_finals}: got delete {text.delete}, "
                f"wanted 0 to {len(self._held)} characters"
            )
        index = self.n_finals
        self._held = self._held[: len(self._held) - text.delete] + text.text
        self.length += len(text.text) - text.delete
        if len(self._held) > 2 * HELD_CHARACTERS:
            self._held = self._held[-HELD_CHARACTERS:]
        return Final(
            **self._envelope("text.final"),
            **self._body(text, when=when, confidence=confidence),
            delete=text.delete,
            index=index,
            transcript_length=self.length,
            transcript=self.end,
        )

    def event(self, event: Event) -> EventMessage:
        """Return the message of an event."""
        return EventMessage(
            **self._envelope("event"), kind=event.kind, sample=event.sample, figures=event.figures
        )

    def health(self, **fields: Any) -> Health:
        """Return the message of health; ``fields`` are those of :class:`Health` itself."""
        return Health(**self._envelope("health"), **fields)

    def _envelope(self, topic: Topic) -> dict[str, Any]:
        """Return the fields every message has, the next ``seq`` among them."""
        seq = self._seq[topic]
        self._seq[topic] += 1
        return {
            "stream": self.stream,
            "session": self.session,
            "seq": seq,
            "host_ns": self._clock_ns(),
        }

    def _body(self, text: Text, *, when: When, confidence: float | None) -> dict[str, Any]:
        """Return the fields partials and finals share."""
        return {
            "text": text.text,
            "symbols": text.symbols,
            "confidence": confidence,
            "nbest": text.nbest,
            "start_s": when.start_s,
            "end_s": when.end_s,
            "samples": text.samples,
            "tainted": text.tainted,
            "model": self.model,
            "latency_ms": when.latency_ms,
        }
