"""Keeps a stream's messages in the order they were made, though finals first go to the journal.

Invariant: no final is published before its commit returned. What was made after a final waits for
    it,
but not for a disk that stalls: when no final came through for ``PATIENCE_S``, partials and events
    go ahead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from runtime.journal_store import Entry, JournalError
from runtime.messages import Final, Format, Message, Topic, encode, topic_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from runtime.journal import Journal

PATIENCE_S = 0.05


class Outbox:
    """One stream's way out; every method on the event loop's thread.

    Args:
        send: publishes ``(topic, body)`` at once.
        journal: takes the finals.
        form: encoding of the bodies.
        failed: told of a final that the journal could not take; it is not published.
    """

    def __init__(
        self,
        send: Callable[[Topic, bytes], None],
        journal: Journal,
        *,
        form: Format,
        failed: Callable[[Entry, Exception], None],
    ) -> None:
        self._send = send
        self._journal = journal
        self._form: Format = form
        self._failed = failed
        self._waiting: deque[tuple[Topic, bytes] | Entry] = deque()
        self._committed: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.n_published = 0

    def put(self, message: Message) -> None:
        """Publish a message after everything put before it; a final after its commit."""
        body = encode(message, self._form)
        if not isinstance(message, Final):
            if self._waiting:
                self._waiting.append((topic_of(message), body))
            else:
                self._publish(topic_of(message), body)
            return
        entry = Entry(stream=message.stream, session=message.session, seq=message.seq, body=body)
        self._waiting.append(entry)
        self._idle.clear()
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE_S, self._lose_patience)
        future = self._journal.append(entry)
        future.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._on_commit, entry, done)
        )

    async def drained(self) -> None:
        """Return once every final put so far was published or has failed."""
        await self._idle.wait()

    def _on_commit(self, entry: Entry, done: Future[None]) -> None:
        error = done.exception()
        if isinstance(error, JournalError | ValueError):
            self._waiting.remove(entry)
            self._failed(entry, error)
        elif error is not None:
            raise error
        else:
            self._committed.add(entry.seq)
        self._flush()

    def _flush(self) -> None:
        n_before = len(self._waiting)
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, Entry):
                if first.seq not in self._committed:
                    break
                self._committed.discard(first.seq)
                self._publish("text.final", first.body)
                self._journal.mark_published(first)
            else:
                self._publish(*first)
            self._waiting.popleft()
        if self._timer is not None and len(self._waiting) < n_before:
            self._timer.cancel()  # the disk moves: patience begins anew
            self._timer = None
        if not self._waiting:
            self._idle.set()
        elif self._timer is None:
            self._timer = self._loop.call_later(PATIENCE_S, self._lose_patience)

    def _lose_patience(self) -> None:
        """The disk is slow: let everything but finals go ahead."""
        self._timer = None
        finals: deque[tuple[Topic, bytes] | Entry] = deque()
        for item in self._waiting:
            if isinstance(item, Entry):
                finals.append(item)
            else:
                self._publish(*item)
        self._waiting = finals
        if finals:
            self._timer = self._loop.call_later(PATIENCE_S, self._lose_patience)

    def _publish(self, topic: Topic, body: bytes) -> None:
        self._send(topic, body)
        self.n_published += 1
