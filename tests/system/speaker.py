"""A daemon without a brain: says a final every few milliseconds, for tests of the wire.

``python speaker.py JOURNAL PUBLISH CONTROL`` runs until it is killed, journals each final before
it publishes it, publishes what an earlier life left unsent, and answers on the control endpoint.
Each line on stdout names a final that was published.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import zmq

from pipeline.values import Text
from runtime.config import Control, Publish
from runtime.journal import Journal
from runtime.journal_store import Entry, Page, Session
from runtime.transcript import Transcript, When, new_session
from runtime.wire.control import ControlServer
from runtime.wire.curve import Gate
from runtime.wire.messages import Counters, Health, Latency, ModelName, Rates, encode
from runtime.wire.publisher import Publisher

LATENCY = Latency(
    transport=0.5, queue=0.1, filter=0.1, model=1.0, decode=0.1, publish=0.2, total=2.0
)
WHEN = When(start_s=0.0, end_s=1.0, latency_ms=LATENCY)


class Speaker:
    """Speaks and answers; its letters are drawn at random."""

    def __init__(self, journal: Path, publish: str, control: str) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        gate = Gate(context)
        model = ModelName(name="none", sha256="0" * 64, verified=False)
        self.transcript = Transcript(stream="s", session=new_session(), model=model)
        self.journal = Journal(journal, sync="normal", keep_days=1)
        unsent = self.journal.start()
        self.publisher = Publisher(Publish(endpoint=publish), context=context, gate=gate)
        self.server = ControlServer(Control(endpoint=control), self, context=context, gate=gate)
        for entry in unsent:
            self._publish(entry)

    async def run(self) -> None:
        serving = asyncio.create_task(self.server.serve())
        draw = random.Random(0)  # noqa: S311 - letters
        while not serving.done():
            letter = draw.choice("abcdefgh ")
            text = Text(kind="final", text=letter, symbols=(letter,), samples=(0, 1))
            final = self.transcript.final(text, when=WHEN, confidence=0.9)
            entry = Entry("s", final.session, final.seq, encode(final))
            await asyncio.wrap_future(self.journal.append(entry))
            self._publish(entry)
            self.publisher.publish(self._health())
            await asyncio.sleep(0.002)

    def _publish(self, entry: Entry) -> None:
        self.publisher.send("text.final", entry.body)
        self.journal.mark_published(entry)
        sys.stdout.write(f"{entry.session} {entry.seq}\n")
        sys.stdout.flush()

    def _health(self) -> Health:
        return self.transcript.health(
            state="decoding",
            reason=None,
            rates=Rates(nominal_hz=250.0, received_hz=250.0, decodes_hz=50.0),
            buffer_fill=0.5,
            lag_ms=1.0,
            latency_ms={},
            over_budget=0.0,
            quality=(),
            counters=Counters(finals=self.transcript.n_finals),
        )

    async def finals(self, *, stream: str | None, session: str | None, start: int) -> Page:
        return await asyncio.wrap_future(
            self.journal.page(
                stream=stream or "s", session=session or self.transcript.session, start=start
            )
        )

    async def sessions(self) -> list[Session]:
        return await asyncio.wrap_future(self.journal.sessions())

    async def status(self) -> list[Health]:
        return [self._health()]

    async def pause(self, stream: str | None) -> None:
        return

    async def resume(self, stream: str | None) -> None:
        return

    async def forget(self, session: str) -> int:
        return await asyncio.wrap_future(self.journal.forget(session))


if __name__ == "__main__":
    asyncio.run(Speaker(Path(sys.argv[1]), sys.argv[2], sys.argv[3]).run())
