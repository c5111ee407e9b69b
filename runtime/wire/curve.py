"""CURVE keys, for those who let others than this machine listen: ours, and who may connect.

Each socket has a domain; a client whose public key is not listed for it does not get in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zmq
from zmq.auth.thread import ThreadAuthenticator

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.config import Curve

MAX_FILE_BYTES = 1 << 20
_KEY = re.compile(r"[0-9A-Za-z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """Our secret key (Z85), and the public keys (Z85) of those who may connect."""

    secret: bytes
    clients: frozenset[bytes]


def read_keys(curve: Curve, *, where: str) -> CurveKeys:
    """Return the keys in the files of ``curve``; ``where`` is its path in the configuration.

    Raises:
        ConfigError: a file cannot be read, others may read the secret, or a key is none.
    """
    secret = read_key_lines(curve.secret_key_file, where=f"{where}.secret_key_file")
    if curve.secret_key_file.stat().st_mode & 0o077:
        raise ConfigError(
            f"{where}.secret_key_file: got a file that others may read "
            f"({curve.secret_key_file}), wanted mode 0600"
        )
    if len(secret) != 1:
        raise ConfigError(f"{where}.secret_key_file: got {len(secret)} keys, wanted one")
    clients = read_key_lines(curve.clients_file, where=f"{where}.clients_file")
    if not clients:
        raise ConfigError(f"{where}.clients_file: got no key, wanted one a line")
    return CurveKeys(secret=secret[0], clients=frozenset(clients))


class Gate:
    """Lets only listed clients into the sockets it guards. One for a context."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._authenticator = ThreadAuthenticator(context)
        self._clients: dict[str, frozenset[bytes]] = {}
        self._is_open = False

    def guard(self, socket: zmq.Socket[bytes], keys: CurveKeys, *, domain: str) -> None:
        """Make ``socket`` a CURVE server; call it before binding."""
        if not self._is_open:
            self._authenticator.start()
            self._is_open = True
        self._clients[domain] = keys.clients
        self._authenticator.configure_curve_callback(domain, self)
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, domain)
        # Without this a dead authenticator would let everyone in.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def callback(self, domain: str, key: bytes) -> bool:
        """Return whether the client with public ``key`` (Z85) may connect."""
        return key in self._clients.get(domain, frozenset())

    def close(self) -> None:
        """Stop the authenticator's thread; close the guarded sockets first."""
        if self._is_open:
            self._authenticator.stop()
            self._is_open = False


def read_key_lines(path: Path, *, where: str) -> list[bytes]:
    """Return the keys (Z85) in a file, one a line; ``#`` starts a comment line.

    Raises:
        ConfigError: it cannot be read, or has a line that is no key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES).decode("ascii", errors="replace")
    except OSError as error:
        raise ConfigError(
            f"{where}: got {str(path)!r}, wanted a file of keys: {error.strerror}"
        ) from None
    keys = [line for raw in text.splitlines() if (line := raw.strip()) and line[0] != "#"]
    for n, key in enumerate(keys):
        if not _KEY.fullmatch(key):
            raise ConfigError(f"{where}: key {n + 1} is none, wanted 40 characters of Z85")
    return [key.encode() for key in keys]
