"""Finals on disk before anyone hears them: one thread, one file, many finals a commit.

A final is published when the future of its :meth:`Journal.append` is done. While a commit is on
its way to the disk, the next finals gather and share the following one. A SIGKILL at any moment
loses no final whose future was done; those committed but perhaps never sent come back from
:meth:`Journal.start`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Literal, TypeVar

from runtime.journal_store import Entry, JournalError, Lock, Page, Session, Store

if TYPE_CHECKING:
    from pathlib import Path

MAX_WAITING = 10_000
"""Finals that may wait for a disk that does not answer."""

PAGE_FINALS = 5000
PAGE_BYTES = 4 << 20

IDLE_S = 0.2
"""After this long without finals, what was published is noted on its own."""

EXPIRE_EVERY_S = 3600.0

DAY_NS = 86_400 * 10**9

T = TypeVar("T")
Read = Callable[[Store], None]
Append = tuple[Entry, int, "Future[None]"]


class Journal:
    """The journal of one daemon. Futures are resolved on the journal's own thread."""

    def __init__(self, path: Path, *, sync: Literal["full", "normal"], keep_days: float) -> None:
        self._path = path
        self._sync = sync
        self._keep_ns = round(keep_days * DAY_NS)
        self._waiting: queue.SimpleQueue[Append | Entry | Read | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._store: Store
        self._lock: Lock

    def start(self) -> list[Entry]:
        """Open the file, erase what is too old, and return the finals that were never sent.

        Raises:
            ConfigError: the file cannot be used; no restart helps.
            JournalError: the disk is full, or the file is damaged inside (``JournalDamaged``).
        """
        self._lock = Lock(self._path)
        with ExitStack() as undo:
            undo.callback(self._lock.release)
            self._store = Store(self._path, sync=self._sync)
            self._store.expire(before_ns=time.time_ns() - self._keep_ns)
            unpublished = self._store.unpublished()
            undo.pop_all()
        self._thread.start()
        return unpublished

    def append(self, entry: Entry) -> Future[None]:
        """Store a final; the future is done when the commit returned.

        The future raises :class:`JournalError` (disk full, damaged, not answering) or
        :class:`ValueError` (this ``seq`` is stored already); then it must not be published.
        """
        done: Future[None] = _promised()
        if self._waiting.qsize() >= MAX_WAITING:
            done.set_exception(
                JournalError(f"{self._path}: {MAX_WAITING} finals wait for the disk, wanted fewer")
            )
        else:
            self._waiting.put((entry, time.time_ns(), done))
        return done

    def mark_published(self, entry: Entry) -> None:
        """Note, with the next commit, that a final was sent."""
        self._waiting.put(entry)

    def page(self, *, stream: str, session: str, start: int) -> Future[Page]:
        """Return stored finals from ``seq`` ``start`` on, up to 5000 or 4 MiB of them."""
        return self._ask(
            lambda store: store.page(
                stream=stream,
                session=session,
                start=start,
                n_max=PAGE_FINALS,
                n_bytes_max=PAGE_BYTES,
            )
        )

    def sessions(self) -> Future[list[Session]]:
        """Return all stored sessions, oldest first."""
        return self._ask(lambda store: store.sessions())

    def forget(self, session: str) -> Future[int]:
        """Erase a session for ever and return how many finals that were."""
        return self._ask(lambda store: store.forget(session))

    def expire(self) -> Future[int]:
        """Erase what is older than ``keep_days`` and return how many finals that were."""
        return self._ask(lambda store: store.expire(before_ns=time.time_ns() - self._keep_ns))

    @property
    def is_alive(self) -> bool:
        """Whether the journal's thread runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Write what waits, then close the file."""
        self._waiting.put(None)
        self._thread.join()
        self._store.close()
        self._lock.release()

    def _ask(self, what: Callable[[Store], T]) -> Future[T]:
        """Run ``what`` on the journal's thread, after everything asked before it."""
        answer: Future[T] = _promised()

        def run(store: Store) -> None:
            try:
                result = what(store)
            except JournalError as error:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        self._waiting.put(run)
        return answer

    def _run(self) -> None:
        """The thread: gather what waits, commit it, answer; until :meth:`close`."""
        sent: deque[Entry] = deque(maxlen=MAX_WAITING)
        expired_s = time.monotonic()
        is_open = True
        while is_open:
            appends: list[Append] = []
            reads: list[Read] = []
            for item in self._gathered(idle_s=IDLE_S if sent else EXPIRE_EVERY_S):
                if item is None:
                    is_open = False
                elif isinstance(item, Entry):
                    sent.append(item)
                elif isinstance(item, tuple):
                    appends.append(item)
                else:
                    reads.append(item)
            self._commit(appends, sent)
            for read in reads:
                read(self._store)
            if time.monotonic() - expired_s > EXPIRE_EVERY_S:
                expired_s = time.monotonic()
                with suppress(JournalError):  # finals come first; the next hour tries again
                    self._store.expire(before_ns=time.time_ns() - self._keep_ns)

    def _gathered(self, *, idle_s: float) -> list[Append | Entry | Read | None]:
        """Return all that waits, in order; wait for the first, at most ``idle_s``."""
        items: list[Append | Entry | Read | None] = []
        try:
            items.append(self._waiting.get(timeout=idle_s))
            while True:
                items.append(self._waiting.get_nowait())
        except queue.Empty:
            return items

    def _commit(self, appends: list[Append], sent: deque[Entry]) -> None:
        """Commit new finals and what was sent; resolve the futures of the finals.

        What was sent stays in ``sent`` if it cannot be noted now: at worst a final is sent again.
        """
        if not appends and not sent:
            return
        twice: dict[int, ValueError] = {}
        try:
            with self._store.transaction():
                for n, (entry, made_ns, _) in enumerate(appends):
                    try:
                        self._store.insert(entry, made_ns=made_ns)
                    except ValueError as error:
                        twice[n] = error
                for entry in sent:
                    self._store.mark_published(entry)
        except JournalError as error:
            for _, _, done in appends:
                done.set_exception(error)
            return
        sent.clear()
        for n, (_, _, done) in enumerate(appends):
            if n in twice:
                done.set_exception(twice[n])
            else:
                done.set_result(None)


def _promised() -> Future[T]:
    """Return a future nobody can cancel: the thread that resolves it must not fail on it."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    return future
