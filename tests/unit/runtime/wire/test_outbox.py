"""Order of what leaves: after its final, unless the disk has stalled."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from pipeline.values import Text
from runtime.journal_store import Entry, JournalError
from runtime.transcript import Transcript, When
from runtime.wire.messages import Latency, Message, ModelName
from runtime.wire.outbox import Outbox

LATENCY = Latency(transport=None, queue=None, filter=0, model=0, decode=0, publish=0, total=0)
WHEN = When(start_s=None, end_s=None, latency_ms=LATENCY)


class SlowLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still until it is moved."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s


class Disk:
    """A journal whose commits return when the test says so."""

    def __init__(self) -> None:
        self.commits: list[Future[None]] = []
        self.published: list[Entry] = []

    def append(self, entry: Entry) -> Future[None]:
        self.commits.append(Future())
        return self.commits[-1]

    def mark_published(self, entry: Entry) -> None:
        self.published.append(entry)


class Rig:
    def __init__(self, loop: SlowLoop) -> None:
        self.loop = loop
        self.disk = Disk()
        self.sent: list[str] = []
        self.failed: list[int] = []
        self.outbox = Outbox(
            lambda topic, _body: self.sent.append(topic.removeprefix("text.")),
            self.disk,  # type: ignore[arg-type]
            form="json",
            failed=lambda entry, _error: self.failed.append(entry.seq),
        )
        model = ModelName(name="none", sha256="0" * 64, verified=False)
        self.transcript = Transcript(stream="s", session="t", model=model, every_decode=True)

    def put(self, *kinds: str) -> None:
        for kind in kinds:
            text = Text(kind=kind, text="a", symbols=("a",), samples=(0, 1))  # type: ignore[arg-type]
            make: Any = getattr(self.transcript, kind)
            message: Message = make(text, when=WHEN, confidence=None)
            self.outbox.put(message)

    async def after(self, seconds: float = 0.0) -> list[str]:
        self.loop.now_s += seconds
        for _ in range(5):
            await asyncio.sleep(0)
        return self.sent


def run(play: Any) -> None:
    with asyncio.Runner(loop_factory=SlowLoop) as runner:

        async def inside() -> None:
            await play(Rig(asyncio.get_running_loop()))  # type: ignore[arg-type]

        runner.run(inside())


def test_a_partial_waits_for_the_final_before_it() -> None:
    async def play(rig: Rig) -> None:
        rig.put("partial", "final", "partial")
        assert await rig.after() == ["partial"]
        rig.disk.commits[0].set_result(None)
        assert await rig.after() == ["partial", "final", "partial"]
        await rig.outbox.drained()
        assert [entry.seq for entry in rig.disk.published] == [0]

    run(play)


def test_how_long_finals_waited_for_their_commit_is_known() -> None:
    async def play(rig: Rig) -> None:
        rig.put("final", "partial", "final", "final")
        await rig.after(0.03)
        rig.disk.commits[1].set_result(None)  # waits for the one before it
        rig.disk.commits[2].set_exception(JournalError("full"))
        assert rig.outbox.journal_ms == []
        await rig.after(0.01)
        rig.disk.commits[0].set_result(None)
        assert rig.outbox.journal_ms == [40.0, 40.0]

    run(play)


def test_a_stalled_disk_holds_up_finals_alone() -> None:
    async def play(rig: Rig) -> None:
        rig.put("final", "partial")
        assert await rig.after(0.04) == []
        assert await rig.after(0.02) == ["partial"]
        rig.disk.commits[0].set_result(None)
        assert await rig.after() == ["partial", "final"]

    run(play)


def test_a_disk_that_moves_keeps_the_order_however_much_waits() -> None:
    async def play(rig: Rig) -> None:
        rig.put("final", "partial", "final", "partial")
        assert await rig.after(0.04) == []
        rig.disk.commits[0].set_result(None)
        assert await rig.after(0.04) == ["final", "partial"]
        rig.disk.commits[1].set_result(None)
        assert await rig.after() == ["final", "partial", "final", "partial"]

    run(play)


def test_a_second_wait_is_watched_like_the_first() -> None:
    async def play(rig: Rig) -> None:
        rig.put("final")
        rig.disk.commits[0].set_result(None)
        assert await rig.after(0.1) == ["final"]
        rig.put("final", "partial")
        assert await rig.after(0.04) == ["final"]
        assert await rig.after(0.02) == ["final", "partial"]

    run(play)


def test_a_commit_publishes_on_the_thread_that_committed() -> None:
    async def play(rig: Rig) -> None:
        rig.put("final", "partial")
        rig.disk.commits[0].set_result(None)
        assert rig.sent == ["final", "partial"]

    run(play)


def test_a_final_that_could_not_be_stored_is_not_published() -> None:
    async def play(rig: Rig) -> None:
        rig.put("final", "partial")
        rig.disk.commits[0].set_exception(JournalError("full"))
        assert await rig.after() == ["partial"]
        assert rig.failed == [0]
        await rig.outbox.drained()

    run(play)
