"""Hears a daemon and misses no final: what is lost on the wire is fetched from its journal.

Finals come out once each and in order per stream and session, whatever happens to the connection
or the daemon. :class:`Ledger` decides that and does no I/O; :class:`Subscriber` has the sockets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import zmq

from runtime.wire.control_client import ControlClient, NoAnswer, secure
from runtime.wire.messages import Final, Health, Message, decode, from_object

if TYPE_CHECKING:
    from types import TracebackType

    from runtime.wire.control_client import ClientKeys

MAX_MESSAGE_BYTES = 16 << 20
MAX_SESSIONS = 256
"""Sessions whose place is remembered; the oldest is forgotten first."""

Fetch = Callable[[str, str, int], list[Final]]
"""``(stream, session, start)`` to the stored finals from there on; empty if they cannot be had."""


class Ledger:
    """Knows the next final of each stream and session.

    With ``history`` a session that is new to us is fetched from its beginning, else it begins with
    the first final heard. ``n_missing`` counts finals that could not be had, ``n_duplicates`` those
    that came twice.
    """

    def __init__(self, fetch: Fetch, *, history: bool) -> None:
        self.n_missing = 0
        self.n_duplicates = 0
        self._fetch = fetch
        self._history = history
        self._next: dict[tuple[str, str], int] = {}
        self._current: dict[str, str] = {}

    def take(self, message: Message) -> list[Message]:
        """Return what the reader should see now: ``message``, and finals before it."""
        earlier = self._settle_session(message)
        if isinstance(message, Final):
            return [*earlier, *self._take_final(message)]
        if isinstance(message, Health):
            # The socket keeps order: finals counted here were sent before, so any new one is lost.
            known = self._next_of(message)
            if known is not None and message.counters.finals > known:
                earlier += self._fetched(message.stream, message.session, known)
        return [*earlier, message]

    def _settle_session(self, message: Message) -> list[Message]:
        """Return what was still missing of the session before, when a new one begins."""
        before = self._current.get(message.stream)
        if before == message.session or (message.stream, message.session) in self._next:
            return []
        self._current[message.stream] = message.session
        if self._history or before is not None:
            self._next[message.stream, message.session] = 0
        while len(self._next) > MAX_SESSIONS:
            del self._next[next(iter(self._next))]
        known = self._next.get((message.stream, before or ""))
        return [] if known is None else self._fetched(message.stream, before or "", known)

    def _take_final(self, final: Final) -> list[Message]:
        """Return ``final`` after those that are missing before it; nothing if it came before."""
        known = self._next_of(final)
        known = final.seq if known is None else known
        if final.seq < known:
            self.n_duplicates += 1
            return []
        fetched = self._fetched(final.stream, final.session, known) if final.seq > known else []
        key = (final.stream, final.session)
        if final.seq < self._next.get(key, known):
            return fetched
        self.n_missing += final.seq - self._next.get(key, known)
        self._next[key] = final.seq + 1
        return [*fetched, final]

    def _fetched(self, stream: str, session: str, start: int) -> list[Message]:
        """Return stored finals from ``start`` on, as far as they can be had."""
        taken: list[Message] = []
        following = start
        for final in self._fetch(stream, session, start):
            if final.seq >= following:
                self.n_missing += final.seq - following
                following = final.seq + 1
                taken.append(final)
        self._next[stream, session] = following
        return taken

    def _next_of(self, message: Message) -> int | None:
        return self._next.get((message.stream, message.session))


class Subscriber:
    """A connection to a daemon that gives its messages, finals complete and in order.

    Args:
        endpoints: where the daemon publishes.
        control: where it answers, None to go without what was lost.
        topics: prefixes of topics, all by default. ``health`` makes a lost last final come sooner.
        history: whether to begin with all finals of the running session.
        keys: CURVE keys, where the daemon wants them.

    ``n_refused`` counts what was no message of ours.
    """

    def __init__(
        self,
        endpoints: Iterable[str],
        *,
        control: str | None = None,
        topics: Iterable[str] = ("",),
        history: bool = False,
        keys: ClientKeys | None = None,
    ) -> None:
        self.n_refused = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._control = (
            ControlClient(control, context=self._context, keys=keys) if control else None
        )
        self.ledger = Ledger(self._fetch, history=history)
        self._ready: deque[Message] = deque()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        self._socket.setsockopt(zmq.LINGER, 0)
        secure(self._socket, keys)
        for topic in topics:
            self._socket.setsockopt_string(zmq.SUBSCRIBE, topic)
        for endpoint in endpoints:
            self._socket.connect(endpoint)

    def receive(self, *, timeout_s: float) -> Message | None:
        """Return the next message, or None if none comes in time."""
        while not self._ready:
            if not self._socket.poll(round(timeout_s * 1000)):
                return None
            self._hear(self._socket.recv_multipart())
        return self._ready.popleft()

    def close(self) -> None:
        """Close both connections."""
        if self._control is not None:
            self._control.close()
        self._socket.close()
        self._context.term()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _hear(self, frames: list[bytes]) -> None:
        """Take what arrived, which may be anything."""
        try:
            topic, body = frames
            message = decode(topic.decode("ascii"), body)
        except ValueError:
            self.n_refused += 1
            return
        self._ready.extend(self.ledger.take(message))

    def _fetch(self, stream: str, session: str, start: int) -> list[Final]:
        """Return stored finals from the daemon's journal; those got so far if it falls silent."""
        finals: list[Final] = []
        more = self._control is not None
        while more and self._control is not None:
            try:
                answer = self._control.ask(
                    "finals", stream=stream, session=session, **{"from": start}
                )
                page = [from_object("text.final", message) for message in answer["messages"]]
            except (NoAnswer, ValueError, KeyError, TypeError):
                break
            finals += [final for final in page if isinstance(final, Final)]
            more = answer.get("more") is True and bool(page)
            start = finals[-1].seq + 1 if finals else start
        return finals
