"""Keeps a stream's messages in the order they were made, though finals first go to the journal.

Invariant: no final is published before its commit returned. What was made after a final waits for
it, but not for a disk that stalls: when no final came through for ``PATIENCE_S``, partials and
events go ahead. Any thread may put; what has nothing to wait for is sent at once, by that thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING

from runtime.journal_store import Entry, JournalError
from runtime.wire.messages import Final, Format, Message, Topic, encode, topic_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from runtime.journal import Journal

PATIENCE_S = 0.05


class Outbox:
    """One stream's way out.

    Args:
        send: publishes ``(topic, body)`` at once, from any thread.
        journal: takes the finals.
        form: encoding of the bodies.
        failed: told, on the event loop's thread, of a final that the journal could not take; it is
            not published.
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
        self._lock = threading.Lock()  # around what waits and everything that is sent
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()
        self.n_published = 0

    def put(self, message: Message) -> None:
        """Publish a message after everything put before it; a final after its commit."""
        body = encode(message, self._form)
        if not isinstance(message, Final):
            with self._lock:
                if self._waiting:
                    self._waiting.append((topic_of(message), body))
                else:
                    self._publish(topic_of(message), body)
            return
        entry = Entry(stream=message.stream, session=message.session, seq=message.seq, body=body)
        with self._lock:
            self._waiting.append(entry)
        self._loop.call_soon_threadsafe(self._be_patient, self._loop.time())
        future = self._journal.append(entry)
        future.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._on_commit, entry, done)
        )

    async def drained(self) -> None:
        """Return once every final put so far was published or has failed."""
        while self._waiting:
            self._emptied.clear()
            await self._emptied.wait()

    def _on_commit(self, entry: Entry, done: Future[None]) -> None:
        error = done.exception()
        if isinstance(error, JournalError | ValueError):
            with self._lock:
                self._waiting.remove(entry)
            self._failed(entry, error)
        elif error is not None:
            raise error
        else:
            self._committed.add(entry.seq)
        with self._lock:
            self._flush()

    def _be_patient(self, since_s: float) -> None:
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_at(since_s + PATIENCE_S, self._lose_patience)

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
            self._emptied.set()
        self._be_patient(self._loop.time())

    def _lose_patience(self) -> None:
        """The disk is slow: let everything but finals go ahead."""
        self._timer = None
        finals: deque[tuple[Topic, bytes] | Entry] = deque()
        with self._lock:
            for item in self._waiting:
                if isinstance(item, Entry):
                    finals.append(item)
                else:
                    self._publish(*item)
            self._waiting = finals
        self._be_patient(self._loop.time())

    def _publish(self, topic: Topic, body: bytes) -> None:
        self._send(topic, body)
        self.n_published += 1
