"""Asks a running daemon over its control socket. For tools and subscribers; it blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import zmq

from pipeline.errors import EegscribeError

MAX_ANSWER_BYTES = 64 << 20


class NoAnswer(EegscribeError):  # noqa: N818 - what happened
    """The daemon did not answer, or refused (exit 1)."""


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """CURVE keys (Z85) with which a client gets in: the daemon's public one, and its own secret."""

    server: bytes
    secret: bytes


def secure(socket: zmq.Socket[bytes], keys: ClientKeys | None) -> None:
    """Make ``socket`` a CURVE client, before it connects, where there are keys."""
    if keys is not None:
        socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server)
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, zmq.curve_public(keys.secret))


class ControlClient:
    """One connection to a control endpoint. Not for several threads at once."""

    def __init__(
        self,
        endpoint: str,
        *,
        context: zmq.Context[zmq.Socket[bytes]],
        keys: ClientKeys | None = None,
        timeout_s: float = 2.0,
    ) -> None:
        self._endpoint = endpoint
        self._context = context
        self._keys = keys
        self._timeout_ms = round(timeout_s * 1000)
        self._socket: zmq.Socket[bytes] | None = None

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Return the answer to one request.

        Raises:
            NoAnswer: none came in time, or it says that the request was refused.
        """
        socket = self._connected()
        socket.send(msgspec.json.encode({"v": 1, "do": do} | fields))
        if not socket.poll(self._timeout_ms):
            self.close()  # a late answer must not be taken for the next one
            raise NoAnswer(f"{self._endpoint}: got no answer, wanted a daemon that listens there")
        try:
            answer = msgspec.json.decode(socket.recv_multipart()[-1], type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NoAnswer(
                f"{self._endpoint}: got no JSON, wanted an answer of eegscribe"
            ) from None
        if answer.get("ok") is not True:
            raise NoAnswer(f"{self._endpoint}: refused: {answer.get('error')}")
        return answer

    def close(self) -> None:
        """Close the connection; the next request makes a new one."""
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None

    def _connected(self) -> zmq.Socket[bytes]:
        """Return the socket, made when first needed."""
        if self._socket is None:
            self._socket = self._context.socket(zmq.DEALER)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_ANSWER_BYTES)
            secure(self._socket, self._keys)
            self._socket.connect(self._endpoint)
        return self._socket
