from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import ConfigError
from runtime.journal_store import (
    Entry,
    JournalDamaged,
    JournalError,
    Lock,
    Session,
    Store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state" / "journal.sqlite")
    yield opened
    opened.close()


def final(seq: int, *, session: str = "t", stream: str = "s", body: bytes = b"{}") -> Entry:
    return Entry(stream=stream, session=session, seq=seq, body=body)


def fill(store: Store, *entries: Entry) -> None:
    with store.transaction():
        for n, entry in enumerate(entries):
            store.insert(entry, made_ns=1000 + n)


def page(store: Store, start: int = 0, **limits: Any) -> tuple[list[int], bool]:
    got = store.page(
        stream="s", session="t", start=start, **{"n_max": 100, "n_bytes_max": 1000} | limits
    )
    return [entry.seq for entry in got.entries], got.more


def test_finals_come_back_as_stored_and_in_order(store: Store) -> None:
    fill(store, final(1, body=b"\x00b"), final(0, body=b"a"), final(0, stream="u"))
    got = store.page(stream="s", session="t", start=0, n_max=9, n_bytes_max=9)
    assert got.entries == [final(0, body=b"a"), final(1, body=b"\x00b")]
    assert not got.more


def test_pages_are_bounded_by_count_and_by_bytes(store: Store) -> None:
    fill(store, *(final(seq, body=b"x" * 10) for seq in range(5)))
    assert page(store) == ([0, 1, 2, 3, 4], False)
    assert page(store, 3) == ([3, 4], False)
    assert page(store, n_max=2) == ([0, 1], True)
    assert page(store, 3, n_max=2) == ([3, 4], False)
    assert page(store, n_bytes_max=25) == ([0, 1], True)
    assert page(store, n_bytes_max=1) == ([0], True)
    assert page(store, 10**30) == ([], False)


def test_a_seq_is_stored_once(store: Store) -> None:
    fill(store, final(0))
    with pytest.raises(ValueError, match="final 0 of 's', 't': got it twice"):
        fill(store, final(1), final(0))
    assert page(store) == ([0], False)


def test_what_was_not_sent_is_known(store: Store) -> None:
    fill(store, final(0), final(1), final(2, session="u"))
    with store.transaction():
        store.mark_published(final(1))
    assert store.unpublished() == [final(0), final(2, session="u")]


def test_sessions_are_listed_with_their_times(store: Store) -> None:
    fill(store, final(0), final(0, session="u"), final(1))
    assert store.sessions() == [Session("s", "t", 2, 1000, 1002), Session("s", "u", 1, 1001, 1001)]


def test_a_forgotten_session_leaves_no_byte(store: Store) -> None:
    secret = b"the quick brown fox" * 500
    fill(store, final(0, body=secret), final(0, session="u", body=b"stays"))
    assert store.forget("t") == 1
    assert store.forget("t") == 0
    left = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert b"quick brown" not in left
    assert b"stays" in left


def test_old_finals_expire(store: Store) -> None:
    fill(store, final(0), final(1))
    assert store.expire(before_ns=1001) == 1
    assert page(store) == ([1], False)


def test_the_files_are_private(store: Store) -> None:
    fill(store, final(0))
    files = sorted(store.path.parent.iterdir())
    assert [path.name for path in files] == [
        "journal.sqlite",
        "journal.sqlite-shm",
        "journal.sqlite-wal",
    ]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert store.path.parent.stat().st_mode & 0o777 == 0o700


def test_an_open_mode_is_narrowed(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.touch(mode=0o644)
    Store(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_opens_again_with_what_it_held(tmp_path: Path) -> None:
    for n in range(3):
        opened = Store(tmp_path / "j", sync="normal")
        fill(opened, final(n))
        opened.close()
    assert page(Store(tmp_path / "j")) == ([0, 1, 2], False)


def other_program(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()


def newer(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.write_bytes(b"no database, but long enough to be one" * 100), "not a"),
        (other_program, "another program"),
        (newer, "version 9 is newer than our 1"),
        (lambda path: path.mkdir(), "Is a directory"),
    ],
)
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, spoil: Any, told: str) -> None:
    path = tmp_path / "journal.sqlite"
    spoil(path)
    with pytest.raises(ConfigError, match=told) as caught:
        Store(path)
    assert str(caught.value).startswith(f"journal.path: got '{path}', wanted ")


def test_a_damaged_journal_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    opened = Store(path)
    fill(opened, *(final(seq, body=os.urandom(3000)) for seq in range(200)))
    opened.close()
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 :] = os.urandom(len(raw) - 4096 * 3)
    path.write_bytes(raw)
    with pytest.raises((ConfigError, JournalDamaged)) as caught:
        page(Store(path), n_max=10_000, n_bytes_max=10**9)
    assert caught.value.exit_code == 78


def test_a_full_disk_says_so_and_loses_nothing_before(store: Store) -> None:
    fill(store, final(0))
    store._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(JournalError, match="database or disk is full") as caught:
        fill(store, final(1, body=b"x" * 1_000_000))
    assert caught.value.exit_code == 1
    store._connection.execute("PRAGMA max_page_count = 100000")
    fill(store, final(1))
    assert page(store) == ([0, 1], False)


def test_one_daemon_holds_the_lock(tmp_path: Path) -> None:
    first = Lock(tmp_path / "journal.sqlite")
    with pytest.raises(ConfigError, match="which another eegscribe uses"):
        Lock(tmp_path / "journal.sqlite")
    first.release()
    Lock(tmp_path / "journal.sqlite").release()
