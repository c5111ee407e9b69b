"""The daemon is killed and started again; the subscriber hears each published final once."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from runtime.journal_store import Store
from runtime.wire.control_client import ControlClient, NoAnswer
from runtime.wire.messages import Final
from runtime.wire.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.live

SPEAKER = Path(__file__).with_name("speaker.py")


class Speaking:
    """A speaker process, and the finals it says it published."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, str(SPEAKER), str(folder / "journal.sqlite")),
                *(f"ipc://{folder}/publish", f"ipc://{folder}/control"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=SPEAKER.parents[2],
        )
        self._said = ""

    def kill(self) -> list[tuple[str, int]]:
        self.process.kill()
        if self.process.returncode is None:
            self._said, _ = self.process.communicate()
        lines = [line.split() for line in self._said.split("\n")[:-1]]
        return [(session, int(seq)) for session, seq in lines]


@contextmanager
def speaking(folder: Path) -> Iterator[Speaking]:
    speaker = Speaking(folder)
    try:
        yield speaker
    finally:
        speaker.kill()


def hear(subscriber: Subscriber, heard: list[Final], *, n_more: int) -> None:
    stop, wanted = time.monotonic() + 20, len(heard) + n_more
    while len(heard) < wanted:
        assert time.monotonic() < stop, f"heard {len(heard)} of {wanted} finals"
        message = subscriber.receive(timeout_s=1)
        if isinstance(message, Final):
            heard.append(message)


def test_each_published_final_is_heard_once_through_three_kills(tmp_path: Path) -> None:
    heard: list[Final] = []
    published: list[tuple[str, int]] = []
    with Subscriber(
        [f"ipc://{tmp_path}/publish"], control=f"ipc://{tmp_path}/control", history=True
    ) as subscriber:
        for n_sessions in (1, 2, 3, 4):
            with speaking(tmp_path) as speaker:
                while len({final.session for final in heard}) < n_sessions or heard[-1].seq < 40:
                    hear(subscriber, heard, n_more=1)
                if n_sessions < 4:
                    time.sleep(0.05)  # it says more than we listen to
                    published += speaker.kill()
        assert subscriber.ledger.n_missing == 0
        assert subscriber.n_refused == 0
    names = [(final.session, final.seq) for final in heard]
    assert len(set(names)) == len(names)
    assert set(published) <= set(names)
    sessions = list(dict.fromkeys(session for session, _ in names))
    assert len(sessions) == 4
    for session in sessions:
        seqs = [seq for name, seq in names if name == session]
        assert seqs == list(range(len(seqs)))


def test_what_a_subscriber_heard_is_in_the_journal(tmp_path: Path) -> None:
    heard: list[Final] = []
    with (
        Subscriber([f"ipc://{tmp_path}/publish"]) as subscriber,
        speaking(tmp_path) as speaker,
    ):
        hear(subscriber, heard, n_more=50)
        speaker.kill()
        while (message := subscriber.receive(timeout_s=0.2)) is not None:
            heard += [message] if isinstance(message, Final) else []
    store = Store(tmp_path / "journal.sqlite")
    page = store.page(stream="s", session=heard[0].session, start=0, n_max=10**6, n_bytes_max=10**9)
    store.close()
    assert {final.seq for final in heard} <= {entry.seq for entry in page.entries}


def test_a_late_subscriber_gets_the_whole_session(tmp_path: Path) -> None:
    heard: list[Final] = []
    with speaking(tmp_path):
        with Subscriber([f"ipc://{tmp_path}/publish"]) as early:
            hear(early, [], n_more=50)
        with Subscriber(
            [f"ipc://{tmp_path}/publish"], control=f"ipc://{tmp_path}/control", history=True
        ) as late:
            hear(late, heard, n_more=60)
    assert [final.seq for final in heard] == list(range(60))
    assert "".join(final.text for final in heard) == heard[-1].transcript


def test_a_daemon_that_is_not_there_gives_no_answer(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    client = ControlClient(f"ipc://{tmp_path}/none", context=context, timeout_s=0.1)
    try:
        client.ask("status")
    except NoAnswer as error:
        assert "got no answer, wanted a daemon" in str(error)
    else:
        raise AssertionError
    finally:
        client.close()
        context.term()
