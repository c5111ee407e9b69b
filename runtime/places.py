"""Where this host keeps things: state, sockets, caches.

A systemd unit names its folders (``StateDirectory=`` and its kin become ``$STATE_DIRECTORY`` …);
anywhere else the XDG base directories hold an ``eegscribe`` folder.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def state_folder() -> Path:
    """Return the folder of the journal."""
    return _systemd("STATE_DIRECTORY") or _xdg("XDG_STATE_HOME", Path(".local/state"))


def cache_folder() -> Path:
    """Return the folder of what can be made again, such as TensorRT engines."""
    return _systemd("CACHE_DIRECTORY") or _xdg("XDG_CACHE_HOME", Path(".cache"))


def runtime_folder() -> Path:
    """Return the folder of sockets; it is empty after a reboot."""
    given = _systemd("RUNTIME_DIRECTORY")
    if given is not None:
        return given
    session = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(session) / "eegscribe" if session else _temporary_folder()


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` and its missing parents, readable by this user alone.

    A folder that exists keeps its mode: it may be shared with others for a reason.

    Raises:
        OSError: it cannot be created, is not a folder, or somebody else made it where all may.
    """
    if folder.is_dir():
        if folder == _temporary_folder() and folder.stat().st_uid != os.getuid():
            raise PermissionError(errno.EACCES, "It belongs to another user", str(folder))
        return
    make_private_folder(folder.parent)
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def _temporary_folder() -> Path:
    """Return where sockets go without a folder of the login session."""
    return Path(tempfile.gettempdir()) / f"eegscribe-{os.getuid()}"


def _systemd(variable: str) -> Path | None:
    """Return the first folder that systemd names in ``variable``."""
    first = os.environ.get(variable, "").split(":")[0]
    return Path(first) if first else None


def _xdg(variable: str, below_home: Path) -> Path:
    """Return our folder in an XDG base directory, which the standard wants absolute."""
    given = Path(os.environ.get(variable, ""))
    return (given if given.is_absolute() else Path.home() / below_home) / "eegscribe"
