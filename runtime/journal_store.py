"""The file of finals: SQLite in WAL mode, readable by this user alone.

Every call here blocks and belongs to one thread; :mod:`runtime.journal` gives it one. What a
``with store.transaction()`` block wrote is there after a SIGKILL, and with ``sync = "full"`` after
a power cut. Forgotten text is overwritten with zeros, not only unlinked.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.errors import ConfigError, EegscribeError
from runtime.places import PRIVATE_FILE, make_private_folder

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 0x45454753
"""``EEGS``, in the file's header: it tells our journal from another program's database."""

VERSION = 1
BUSY_MS = 5000

_PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_TABLES = """
CREATE TABLE finals (
    id INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    made_ns INTEGER NOT NULL,
    published INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL,
    UNIQUE (session, stream, seq)
) STRICT;
CREATE INDEX unpublished ON finals (id) WHERE NOT published;
"""


class JournalError(EegscribeError):
    """The journal could not be read or written (disk full, damaged): the world's fault (exit 1)."""


class JournalDamaged(JournalError):  # noqa: N818 - the state of the file
    """The file is damaged; a person must move it away (exit 78), a restart does not help."""

    exit_code = 78


@dataclass(frozen=True, slots=True)
class Entry:
    """One final as published: ``body`` is the second frame."""

    stream: str
    session: str
    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Finals of one stream and session in order; ``more`` says that further ones follow."""

    stream: str
    session: str
    entries: list[Entry]
    more: bool


@dataclass(frozen=True, slots=True)
class Session:
    """What is stored of one session of a stream: its finals, and when (Unix nanoseconds)."""

    stream: str
    session: str
    n_finals: int
    first_ns: int
    last_ns: int


class Store:
    """An open journal file.

    Raises:
        ConfigError: the file cannot be opened here, or is not a journal of ours.
        JournalError: the disk is full or the file in use; later it may work.
    """

    def __init__(self, path: Path, *, sync: Literal["full", "normal"] = "full") -> None:
        self.path = path
        try:
            make_private_folder(path.parent)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
            path.chmod(PRIVATE_FILE)  # SQLite gives its -wal and -shm files the mode of this one
        except OSError as error:
            raise _unusable(path, error.strerror or str(error)) from None
        self._connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000
        )
        try:
            self._prepare(sync)
        except sqlite3.Error as error:
            self._connection.close()
            if error.sqlite_errorcode in _PASSING:
                raise self._failed(error) from None
            raise _unusable(path, str(error)) from None
        except ConfigError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block writes when it ends; nothing of it if it raises.

        Raises:
            JournalError: it could not be committed.
        """
        with ExitStack() as undo:
            undo.callback(self._roll_back)
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._failed(error) from None
            undo.pop_all()

    def insert(self, entry: Entry, *, made_ns: int) -> None:
        """Add a final.

        Raises:
            ValueError: one with its stream, session and seq is there already.
        """
        try:
            self._connection.execute(
                "INSERT INTO finals (stream, session, seq, made_ns, body) VALUES (?, ?, ?, ?, ?)",
                (entry.stream, entry.session, entry.seq, made_ns, entry.body),
            )
        except sqlite3.IntegrityError:
            raise ValueError(
                f"final {entry.seq} of {entry.stream!r}, {entry.session!r}: "
                "got it twice, wanted each seq once"
            ) from None

    def mark_published(self, entry: Entry) -> None:
        """Note that a final left the socket."""
        self._connection.execute(
            "UPDATE finals SET published = 1 WHERE session = ? AND stream = ? AND seq = ?",
            (entry.session, entry.stream, entry.seq),
        )

    def unpublished(self) -> list[Entry]:
        """Return the finals that were committed but perhaps never sent, oldest first."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT stream, session, seq, body FROM finals WHERE NOT published ORDER BY id"
            )
            return [Entry(*row) for row in rows]

    def page(self, *, stream: str, session: str, start: int, n_max: int, n_bytes_max: int) -> Page:
        """Return finals from ``seq`` ``start`` on: one if there is any, then up to the limits."""
        entries: list[Entry] = []
        n_bytes = 0
        with self._reading():
            rows = self._connection.execute(
                "SELECT stream, session, seq, body FROM finals "
                "WHERE session = ? AND stream = ? AND seq >= ? ORDER BY seq LIMIT ?",
                (session, stream, min(start, 2**63 - 1), n_max + 1),
            )
            for row in rows:
                entry = Entry(*row)
                n_bytes += len(entry.body)
                if len(entries) == n_max or (entries and n_bytes > n_bytes_max):
                    return Page(stream, session, entries, more=True)
                entries.append(entry)
        return Page(stream, session, entries, more=False)

    def sessions(self) -> list[Session]:
        """Return all stored sessions, oldest first."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT stream, session, count(*), min(made_ns), max(made_ns) FROM finals "
                "GROUP BY session, stream ORDER BY min(id)"
            )
            return [Session(*row) for row in rows]

    def forget(self, session: str) -> int:
        """Erase a session for ever and return how many finals that were."""
        with self.transaction():
            n = self._connection.execute("DELETE FROM finals WHERE session = ?", (session,))
        self._empty_wal()
        return n.rowcount

    def expire(self, *, before_ns: int) -> int:
        """Erase finals made before a time and return how many that were."""
        with self.transaction():
            n = self._connection.execute("DELETE FROM finals WHERE made_ns < ?", (before_ns,))
        if n.rowcount:
            self._empty_wal()
        return n.rowcount

    def _prepare(self, sync: str) -> None:
        """Set the connection up, and the tables of a new file."""
        run = self._connection.execute
        application, version = (
            run(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        is_new = not run("SELECT count(*) FROM sqlite_schema").fetchone()[0] and not application
        if not is_new and application != APPLICATION_ID:
            raise _unusable(self.path, "it is another program's database")
        if version > VERSION:
            raise _unusable(self.path, f"its version {version} is newer than our {VERSION}")
        mode = run("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise _unusable(self.path, f"its file system cannot do WAL (it does {mode!r})")
        run(f"PRAGMA synchronous = {'FULL' if sync == 'full' else 'NORMAL'}")
        run("PRAGMA secure_delete = ON")
        if is_new:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {VERSION}; COMMIT"
            )
        run("SELECT seq, published, made_ns, body FROM finals LIMIT 1").fetchall()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def _roll_back(self) -> None:
        """Undo the open transaction, where SQLite has not already done so."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _empty_wal(self) -> None:
        """Move the log into the file and cut it, so that nothing erased stays in it."""
        with self._reading():
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise JournalError(
                f"{self.path}: erased, but its log is being read, so a copy may stay in it "
                "until the daemon stops"
            )

    def _failed(self, error: sqlite3.Error) -> JournalError:
        if error.sqlite_errorcode in _DAMAGED:
            return JournalDamaged(
                f"{self.path}: got a damaged journal, wanted a sound one: {error}"
            )
        return JournalError(f"{self.path}: wanted to read or write finals, SQLite says: {error}")


class Lock:
    """Held by the one daemon that writes a journal; other processes may still read and forget.

    Raises:
        ConfigError: another process holds it, or it cannot be made there.
    """

    def __init__(self, path: Path) -> None:
        beside = path.with_name(path.name + ".lock")
        try:
            make_private_folder(path.parent)
            # Not the database itself: closing any handle on that would drop SQLite's own locks.
            self._handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise _unusable(path, error.strerror or str(error)) from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            raise ConfigError(
                f"journal.path: got {str(path)!r}, which another eegscribe uses, wanted a free one"
            ) from None

    def release(self) -> None:
        """Let another process have the journal."""
        os.close(self._handle)


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"journal.path: got {str(path)!r}, wanted a journal of ours: {why}")
