"""The PUB socket: every message leaves here as two frames, topic and body.

Any thread may send: a decode thread whose text had first to wake another would tell it later.
Sending never waits: it costs some 20 µs, and a subscriber whose queue is full loses messages, which
it sees from their ``seq`` and fetches from the journal.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import zmq

from runtime.wire.curve import Gate, read_keys
from runtime.wire.endpoints import bind, unlink
from runtime.wire.messages import Message, Topic, encode, topic_of

if TYPE_CHECKING:
    from runtime.config import Publish

LINGER_MS = 1000
"""How long closing waits for the last messages to reach their subscribers."""


class Publisher:
    """Publishes messages on every endpoint of the configuration.

    ``n_published`` counts messages; ``n_overrun`` how often a slow subscriber began to miss some.

    Raises:
        ConfigError: an endpoint cannot be bound here, or a key file is wrong.
        EndpointInUse: another process has one of them.
    """

    def __init__(
        self, settings: Publish, *, context: zmq.Context[zmq.Socket[bytes]], gate: Gate
    ) -> None:
        self.form = settings.format
        self.n_published = 0
        self.n_overrun = 0
        self._lock = threading.Lock()  # around every use of the socket: ZeroMQ asks for no more
        self._socket = context.socket(zmq.PUB)
        with ExitStack() as undo:
            undo.callback(self._socket.close, linger=0)
            self._socket.setsockopt(zmq.SNDHWM, settings.high_water_mark)
            self._socket.setsockopt(zmq.LINGER, LINGER_MS)
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)
            if settings.curve is not None:
                keys = read_keys(settings.curve, where="publish.curve")
                gate.guard(self._socket, keys, domain="publish")
            self.endpoints = tuple(
                bind(self._socket, endpoint, where="publish.endpoint")
                for endpoint in settings.endpoints
            )
            undo.pop_all()

    def publish(self, message: Message) -> None:
        """Send ``message`` now."""
        self.send(topic_of(message), encode(message, self.form))

    def send(self, topic: Topic, body: bytes) -> None:
        """Send a body that is encoded already, such as a final from the journal."""
        frames = (topic.encode(), body)
        with self._lock:
            if not self._sent(frames):
                # Read what the I/O thread says of emptied queues: ZeroMQ only looks now and then.
                self._socket.getsockopt(zmq.EVENTS)
                if not self._sent(frames):
                    self.n_overrun += 1
                    self._socket.setsockopt(zmq.XPUB_NODROP, 0)
                    self._socket.send_multipart(frames, zmq.NOBLOCK)
                    self._socket.setsockopt(zmq.XPUB_NODROP, 1)
            self.n_published += 1

    def _sent(self, frames: tuple[bytes, bytes]) -> bool:
        """Send to all; or, where a queue is full, to none, and return False."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Close the socket; what was sent still leaves, for at most a second."""
        for endpoint in self.endpoints:
            unlink(endpoint)
        with self._lock:
            self._socket.close()
