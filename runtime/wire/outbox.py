"""Keeps a stream's messages in the order they were made, though finals first go to the journal.

Invariant: no final is published before its commit returned. What was made after a final waits for
it, but not for a disk that stalls: when no final came through for ``PATIENCE_S``, partials and
events go ahead. Any thread may put; what has nothing to wait for is sent at once, by that thread,
and what waited for a commit by the thread that committed: to wake another would cost more.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING

from runtime.journal_store import Entry
from runtime.wire.messages import Final, Format, Message, Topic, encode, topic_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from runtime.journal import Journal

PATIENCE_S = 0.05
N_KEPT = 4096
"""How many finals' milliseconds are kept, as many as decodes'."""


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
        failed: Callable[[Entry, BaseException], None],
    ) -> None:
        self._send = send
        self._journal = journal
        self._form: Format = form
        self._failed = failed
        self._waiting: deque[tuple[Topic, bytes] | Entry] = deque()
        self._committed: set[int] = set()
        self._lock = threading.Lock()  # around what waits and everything that is sent
        self._loop = asyncio.get_running_loop()
        self._is_watched = False  # whether the loop will look for what waits too long
        self._moved_s = 0.0  # when a final last came through, or the first began to wait
        self._emptied: asyncio.Event | None = None
        self.n_published = 0
        self._put_s: dict[int, float] = {}  # when a final that waits was put
        self._journal_ms: deque[float] = deque(maxlen=N_KEPT)

    @property
    def journal_ms(self) -> list[float]:
        """Milliseconds from the last finals' being put until they were committed and sent."""
        return [*self._journal_ms.copy()]  # copied at one go: others append

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
            if not self._waiting:
                self._moved_s = self._loop.time()
            self._waiting.append(entry)
            self._put_s[entry.seq] = self._loop.time()
            is_watched, self._is_watched = self._is_watched, True
        if not is_watched:
            self._loop.call_soon_threadsafe(self._watch)
        self._journal.append(entry).add_done_callback(lambda done: self._on_commit(entry, done))

    async def drained(self) -> None:
        """Return once every final put so far was published or has failed."""
        with self._lock:
            if not self._waiting:
                return
            self._emptied = asyncio.Event()
        await self._emptied.wait()

    def _on_commit(self, entry: Entry, done: Future[None]) -> None:
        """Publish what a commit lets go; called from the journal's thread."""
        error = done.exception()
        with self._lock:
            if error is None:
                self._committed.add(entry.seq)
            else:
                self._waiting.remove(entry)
                del self._put_s[entry.seq]
            self._flush()
        if error is not None:
            self._loop.call_soon_threadsafe(self._failed, entry, error)

    def _flush(self) -> None:
        """Publish from the front whatever may go; the lock is held."""
        n_before = len(self._waiting)
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, Entry):
                if first.seq not in self._committed:
                    break
                self._committed.discard(first.seq)
                self._publish("text.final", first.body)
                waited_s = self._loop.time() - self._put_s.pop(first.seq)
                self._journal_ms.append(1e3 * waited_s)
                self._journal.mark_published(first)
            else:
                self._publish(*first)
            self._waiting.popleft()
        if len(self._waiting) < n_before:
            self._moved_s = self._loop.time()  # the disk moves: patience begins anew
        if not self._waiting and self._emptied is not None:
            self._loop.call_soon_threadsafe(self._emptied.set)

    def _watch(self) -> None:
        """Let everything but finals go ahead where the disk is slow; on the loop's thread."""
        with self._lock:
            if not self._waiting:
                self._is_watched = False
                return
            due_s = self._moved_s + PATIENCE_S
            if self._loop.time() >= due_s:
                finals: deque[tuple[Topic, bytes] | Entry] = deque()
                for item in self._waiting:
                    if isinstance(item, Entry):
                        finals.append(item)
                    else:
                        self._publish(*item)
                self._waiting = finals
                due_s = self._loop.time() + PATIENCE_S
        self._loop.call_at(due_s, self._watch)

    def _publish(self, topic: Topic, body: bytes) -> None:
        self._send(topic, body)
        self.n_published += 1
