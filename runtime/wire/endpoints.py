"""Where a socket may be bound: loopback and ipc, or anywhere once CURVE keys guard it."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import zmq

from pipeline.errors import ConfigError, EegscribeError
from runtime.places import PRIVATE_FILE, make_private_folder

MAX_IPC_PATH_BYTES = 107
"""``sun_path`` of a UNIX socket holds 108 bytes, the last of them NUL."""

_TCP = re.compile(r"tcp://(?P<host>\[[^\]]*\]|[^:\[\]]+):(?P<port>\*|[0-9]{1,5})")


class EndpointInUse(EegscribeError):  # noqa: N818 - a state of the world; it may be free at the next start
    """Another process is bound to the endpoint (exit 1): a later start may find it free."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint taken apart: host and port of tcp, or path of ipc (``@…`` is abstract)."""

    transport: Literal["tcp", "ipc"]
    host: str = ""
    port: str = ""
    path: str = ""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.transport == "ipc" or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def address(self) -> str:
        """The endpoint as ZeroMQ binds it (it binds addresses, not the name ``localhost``)."""
        if self.transport == "ipc":
            return f"ipc://{self.path}"
        return f"tcp://{'127.0.0.1' if self.host == 'localhost' else self.host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """Return ``text`` taken apart.

    Raises:
        ValueError: neither ``tcp://HOST:PORT`` nor ``ipc://PATH``; says what was wanted.
    """
    if not text.isprintable():
        raise ValueError("only printable characters")
    if text.startswith("ipc://"):
        path = text.removeprefix("ipc://")
        if path in ("", "@"):
            raise ValueError("a path after ipc://")
        if len(os.fsencode(path)) > MAX_IPC_PATH_BYTES:
            raise ValueError(f"an ipc path of at most {MAX_IPC_PATH_BYTES} bytes")
        return Endpoint("ipc", path=path)
    match = _TCP.fullmatch(text)
    if match is None:
        raise ValueError("tcp://HOST:PORT or ipc://PATH")
    if match["port"] != "*" and int(match["port"]) > 65535:
        raise ValueError("a port of at most 65535")
    if match["host"].startswith("["):
        _check_ipv6(match["host"][1:-1])
    return Endpoint("tcp", host=match["host"], port=match["port"])


def _check_ipv6(host: str) -> None:
    """Refuse ``host`` unless it is an IPv6 address."""
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError("an IPv6 address in the brackets") from None


def endpoint_problem(text: str, *, has_curve: bool, curve_key: str) -> str | None:
    """Return what is wrong with binding to ``text``, as ``got …, wanted …``; None if nothing is."""
    try:
        endpoint = parse_endpoint(text)
    except ValueError as error:
        return f"got {text!r}, wanted {error}"
    if endpoint.is_local or has_curve:
        return None
    return (
        f"got {text!r} without CURVE keys, wanted loopback or ipc "
        f"(to bind elsewhere, set {curve_key})"
    )


def bind(socket_: zmq.Socket[bytes], text: str, *, where: str) -> str:
    """Bind ``socket_`` to the endpoint and return where it is bound (``*`` became a port).

    The file of an ipc socket is open to this user alone, and so is its folder if it is new.

    Raises:
        EndpointInUse: another process has it.
        ConfigError: it cannot be bound on this machine.
    """
    endpoint = parse_endpoint(text)
    file = Path(endpoint.path) if endpoint.path and not endpoint.path.startswith("@") else None
    if endpoint.path and _answers(endpoint.path):
        raise _in_use(text, where)
    if endpoint.host.startswith("["):
        socket_.setsockopt(zmq.IPV6, 1)
    try:
        if file is not None:
            make_private_folder(file.parent)
        socket_.bind(endpoint.address)
        if file is not None:
            file.chmod(PRIVATE_FILE)
    except (zmq.ZMQError, OSError) as error:
        if error.errno == errno.EADDRINUSE:
            raise _in_use(text, where) from None
        raise ConfigError(
            f"{where}: got {text!r}, wanted one that can be bound here: {error.strerror}"
        ) from None
    return socket_.getsockopt_string(zmq.LAST_ENDPOINT)


def unlink(bound: str) -> None:
    """Remove the file of an ipc endpoint as :func:`bind` returned it; call before closing.

    ZeroMQ leaves it. While we still listen nobody else binds there, so the file is ours.
    """
    path = bound.removeprefix("ipc://")
    if path != bound and not path.startswith("@"):
        Path(path).unlink(missing_ok=True)


def _in_use(text: str, where: str) -> EndpointInUse:
    return EndpointInUse(f"{where}: got {text!r}, which another process uses, wanted a free one")


def _answers(path: str) -> bool:
    """Return whether a process listens on the UNIX socket: ZeroMQ would take it over silently."""
    address = "\0" + path[1:] if path.startswith("@") else path
    if not address.startswith("\0") and not Path(path).exists():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(address) == 0
