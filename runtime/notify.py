"""Tells systemd how we are: the datagrams of sd_notify(3), without its library.

Without ``$NOTIFY_SOCKET`` nothing is sent. Losing a datagram never stops the daemon.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

MAX_STATUS_CHARACTERS = 500


class Notifier:
    """The connection to whoever started us."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._environment = environment

    @classmethod
    def from_environment(cls) -> Notifier:
        """Return the connection that this process was started with, or one that says nothing."""
        return cls(os.environ)

    def ready(self) -> bool:
        """Say that the service is up; returns whether it was sent, as do the others."""
        return self._send("READY=1")

    def status(self, status: str) -> bool:
        """Show one line in ``systemctl status``."""
        return self._send(f"STATUS={_one_line(status)}")

    def watchdog(self) -> bool:
        """Feed the watchdog."""
        return self._send("WATCHDOG=1")

    def stopping(self) -> bool:
        """Say that the service is about to end."""
        return self._send("STOPPING=1")

    @property
    def watchdog_s(self) -> float | None:
        """The time within which systemd wants :meth:`watchdog`; None if it does not watch."""
        period_us = self._environment.get("WATCHDOG_USEC", "")
        for_pid = self._environment.get("WATCHDOG_PID", str(os.getpid()))
        if not period_us.isdecimal() or for_pid != str(os.getpid()):
            return None
        return int(period_us) / 1e6 or None

    def _send(self, *fields: str) -> bool:
        """Send one datagram; return whether that went well."""
        if self._address[:1] not in ("/", "@"):
            return False
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagram:
            datagram.settimeout(0)  # a manager that does not read must not stop the loop
            try:
                datagram.sendto("\n".join(fields).encode(), address)
            except OSError:
                return False
        return True


def _one_line(status: str) -> str:
    """Return ``status`` so that it cannot end its field early."""
    return " ".join(status.split())[:MAX_STATUS_CHARACTERS]
