from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError
from runtime import journal as module
from runtime.journal import Journal
from runtime.journal_store import Entry, JournalError, Store

if TYPE_CHECKING:
    from pathlib import Path


def final(seq: int, *, session: str = "t") -> Entry:
    return Entry(stream="s", session=session, seq=seq, body=f'{{"seq":{seq}}}'.encode())


def journal(path: Path) -> Journal:
    return Journal(path, sync="normal", keep_days=30)


def stored(path: Path, session: str = "t") -> list[int]:
    store = Store(path)
    page = store.page(stream="s", session=session, start=0, n_max=9999, n_bytes_max=10**9)
    store.close()
    return [entry.seq for entry in page.entries]


def test_a_done_future_means_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = journal(path)
    assert whole.start() == []
    for seq in range(20):
        whole.append(final(seq)).result(5)
        assert stored(path) == list(range(seq + 1))
    whole.close()


def test_many_finals_share_a_commit_and_stay_in_order(tmp_path: Path) -> None:
    whole = journal(tmp_path / "j")
    whole.start()
    order: list[int] = []
    futures = [whole.append(final(seq)) for seq in range(500)]
    for seq, future in enumerate(futures):
        future.add_done_callback(lambda _, seq=seq: order.append(seq))
    page = whole.page(stream="s", session="t", start=490).result(5)
    assert [entry.seq for entry in page.entries] == list(range(490, 500))
    whole.close()
    assert order == sorted(order)


def test_what_was_not_sent_comes_back_at_the_next_start(tmp_path: Path) -> None:
    whole = journal(tmp_path / "j")
    whole.start()
    for seq in range(4):
        whole.append(final(seq)).result(5)
    for seq in (0, 1):
        whole.mark_published(final(seq))
    whole.close()
    again = journal(tmp_path / "j")
    assert again.start() == [final(2), final(3)]
    for entry in (final(2), final(3)):
        again.mark_published(entry)
    again.close()
    last = journal(tmp_path / "j")
    assert last.start() == []
    last.close()


def test_one_seq_twice_fails_alone(tmp_path: Path) -> None:
    whole = journal(tmp_path / "j")
    whole.start()
    futures = [whole.append(final(seq)) for seq in (0, 1, 1, 2)]
    whole.close()
    assert [future.exception() is None for future in futures] == [True, True, False, True]
    assert isinstance(futures[2].exception(), ValueError)
    assert stored(tmp_path / "j") == [0, 1, 2]


def test_a_future_cannot_be_cancelled(tmp_path: Path) -> None:
    whole = journal(tmp_path / "j")
    whole.start()
    done = whole.append(final(0))
    assert not done.cancel()
    done.result(5)
    whole.append(final(1)).result(5)
    whole.close()


def test_a_full_disk_fails_the_finals_and_the_journal_goes_on(tmp_path: Path) -> None:
    whole = journal(tmp_path / "j")
    whole.start()
    whole.append(final(0)).result(5)
    whole.mark_published(final(0))
    whole._store._connection.execute("PRAGMA max_page_count = 10")
    big = Entry(stream="s", session="t", seq=1, body=b"x" * 1_000_000)
    with pytest.raises(JournalError, match="full"):
        whole.append(big).result(5)
    assert whole.is_alive
    whole._store._connection.execute("PRAGMA max_page_count = 100000")
    whole.append(final(1)).result(5)
    whole.close()
    assert stored(tmp_path / "j") == [0, 1]


def test_a_disk_that_does_not_answer_bounds_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    whole = journal(tmp_path / "j")
    whole.start()
    stuck, go = threading.Event(), threading.Event()
    whole._waiting.put(lambda _: (stuck.set(), go.wait(5), None)[2])
    assert stuck.wait(5)
    futures = [whole.append(final(seq)) for seq in range(4)]
    go.set()
    with pytest.raises(JournalError, match="3 finals wait for the disk"):
        futures[3].result(5)
    whole.close()
    assert [future.exception() for future in futures[:3]] == [None] * 3


def test_forget_and_sessions_are_answered(tmp_path: Path) -> None:
    whole = journal(tmp_path / "j")
    whole.start()
    for session in ("t", "u"):
        whole.append(final(0, session=session))
    assert [entry.session for entry in whole.sessions().result(5)] == ["t", "u"]
    assert whole.forget("t").result(5) == 1
    assert [entry.session for entry in whole.sessions().result(5)] == ["u"]
    assert whole.expire().result(5) == 0
    whole.close()


def test_what_is_too_old_is_gone_after_the_start(tmp_path: Path) -> None:
    store = Store(tmp_path / "j")
    with store.transaction():
        store.insert(final(0), made_ns=time.time_ns() - 31 * module.DAY_NS)
        store.insert(final(1), made_ns=time.time_ns() - 29 * module.DAY_NS)
    store.close()
    whole = journal(tmp_path / "j")
    assert whole.start() == [final(1)]
    whole.close()


def test_a_journal_has_one_daemon(tmp_path: Path) -> None:
    whole = journal(tmp_path / "j")
    whole.start()
    with pytest.raises(ConfigError, match="which another eegscribe uses"):
        journal(tmp_path / "j").start()
    whole.close()


def test_a_failed_start_lets_the_lock_go(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"no database at all, and long enough" * 99)
    for _ in range(2):
        with pytest.raises(ConfigError, match="wanted a journal of ours"):
            journal(tmp_path / "j").start()


def test_what_grows_too_old_goes_while_the_daemon_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXPIRE_EVERY_S", 0.0)
    whole = Journal(tmp_path / "j", sync="normal", keep_days=1e-9)
    whole.start()
    whole.append(final(0)).result(5)
    for _ in range(100):
        if not whole.sessions().result(5):
            break
    assert whole.sessions().result(5) == []
    whole.close()
