"""Publisher and control server on real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from pipeline.errors import ConfigError
from runtime.config import Control, Curve, Publish
from runtime.journal_store import Entry, Page, Session
from runtime.wire.control import ControlServer
from runtime.wire.curve import Gate
from runtime.wire.endpoints import EndpointInUse
from runtime.wire.messages import EventMessage, Health, decode_object
from runtime.wire.publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live

ANY_PORT = "tcp://127.0.0.1:*"


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as made:
        yield made


@pytest.fixture
def gate(context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Gate]:
    made = Gate(context)
    yield made
    made.close()


@pytest.fixture
def publishers(context: Any, gate: Gate) -> Iterator[Any]:
    with ExitStack() as opened:

        def make(**settings: Any) -> Publisher:
            made = Publisher(Publish(**settings), context=context, gate=gate)
            opened.callback(made.close)
            return made

        yield make


def event(seq: int, **figures: Any) -> EventMessage:
    return EventMessage(
        stream="s", session="t", seq=seq, host_ns=0, kind="gap", sample=seq, figures=figures
    )


def subscribed(context: zmq.Context[Any], *endpoints: str, **options: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(zmq.SUB)
    for name, value in options.items():
        socket.setsockopt(getattr(zmq, name), value)
    socket.subscribe(b"")
    for endpoint in endpoints:
        socket.connect(endpoint)
    return socket


def wait_until_heard(publisher: Publisher, *sockets: zmq.Socket[bytes]) -> None:
    """Send until each subscriber hears something, then empty their queues."""
    deaf = set(sockets)
    stop = time.monotonic() + 10
    while deaf and time.monotonic() < stop:
        publisher.send("health", b"{}")
        deaf -= {ear for ear in deaf if ear.poll(10)}
    assert not deaf
    for ear in sockets:
        while ear.poll(100):
            ear.recv_multipart()


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_a_message_is_two_frames(context: Any, publishers: Any, form: Any) -> None:
    publisher = publishers(endpoint=ANY_PORT, format=form)
    with subscribed(context, *publisher.endpoints) as ear:
        wait_until_heard(publisher, ear)
        publisher.publish(event(4, n_samples=127))
        topic, body = ear.recv_multipart()
        assert topic == b"event"
        assert (body[:1] == b"{") == (form == "json")
        assert decode_object(body)["n_samples"] == 127


def test_several_endpoints_publish_the_same(context: Any, publishers: Any, tmp_path: Path) -> None:
    file = tmp_path / "run" / "publish"
    publisher = publishers(endpoint=(ANY_PORT, f"ipc://{file}"))
    with (
        subscribed(context, publisher.endpoints[0]) as one,
        subscribed(context, publisher.endpoints[1]) as two,
    ):
        wait_until_heard(publisher, one, two)
        publisher.publish(event(1))
        assert one.recv_multipart() == two.recv_multipart()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_slow_subscriber_neither_blocks_nor_delays_the_others(
    context: Any, publishers: Any
) -> None:
    publisher = publishers(endpoint=ANY_PORT, high_water_mark=10)
    with (
        subscribed(context, *publisher.endpoints, RCVHWM=1, RCVBUF=4096) as slow,
        subscribed(context, *publisher.endpoints) as quick,
    ):
        wait_until_heard(publisher, slow, quick)
        heard, slowest = [], 0.0
        for seq in range(2000):
            began = time.perf_counter()
            publisher.publish(event(seq, padding="x" * 10_000))
            slowest = max(slowest, time.perf_counter() - began)
            heard.append(decode_object(quick.recv_multipart()[1])["seq"])
        assert heard == list(range(2000))
        assert publisher.n_overrun >= 1
        assert slowest < 1


def test_the_last_message_leaves_before_closing(context: Any, publishers: Any) -> None:
    publisher = publishers(endpoint=ANY_PORT)
    with subscribed(context, *publisher.endpoints) as ear:
        wait_until_heard(publisher, ear)
        for seq in range(100):
            publisher.publish(event(seq))
        publisher.close()
        assert [decode_object(ear.recv_multipart()[1])["seq"] for _ in range(100)] == list(
            range(100)
        )


def test_an_endpoint_in_use_is_told(context: Any, publishers: Any, tmp_path: Path) -> None:
    for endpoint in (ANY_PORT, f"ipc://{tmp_path}/x"):
        first = publishers(endpoint=endpoint)
        with pytest.raises(EndpointInUse, match=r"publish.endpoint: got .* another process uses"):
            publishers(endpoint=first.endpoints[0])
        first.close()


def test_a_file_left_by_a_killed_daemon_is_taken_over(publishers: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "x"))
    publishers(endpoint=f"ipc://{tmp_path}/x")


def test_what_cannot_be_bound_is_told(context: Any, publishers: Any) -> None:
    for endpoint in ("ipc:///proc/none/x", "tcp://[::1]:1", "tcp://127.0.0.1:1"):
        if endpoint.startswith("tcp") and _may_bind(endpoint):
            continue
        with pytest.raises(ConfigError, match=r"publish.endpoint: got .*, wanted one that can be"):
            publishers(endpoint=endpoint)


def _may_bind(endpoint: str) -> bool:
    with zmq.Context() as other, other.socket(zmq.PUB) as socket:
        socket.setsockopt(zmq.IPV6, 1)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError:
            return False
    return True


def test_only_listed_keys_hear(context: Any, publishers: Any, tmp_path: Path) -> None:
    (ours, our_secret), ann, eve = (zmq.curve_keypair() for _ in range(3))
    curve = Curve(secret_key_file=tmp_path / "s", clients_file=tmp_path / "c")
    curve.secret_key_file.write_bytes(our_secret)
    curve.secret_key_file.chmod(0o600)
    curve.clients_file.write_bytes(ann[0])
    publisher = publishers(endpoint=ANY_PORT, curve=curve)
    ears = []
    for public, secret in (ann, eve):
        ear: zmq.Socket[bytes] = context.socket(zmq.SUB)
        ear.curve_serverkey, ear.curve_publickey, ear.curve_secretkey = ours, public, secret
        ear.subscribe(b"")
        ear.connect(publisher.endpoints[0])
        ears.append(ear)
    ears.append(subscribed(context, *publisher.endpoints))
    wait_until_heard(publisher, ears[0])
    publisher.publish(event(1))
    assert ears[0].poll(2000)
    assert not any(ear.poll(200) for ear in ears[1:])
    for ear in ears:
        ear.close()


class Desk:
    """Commands with one stored final."""

    async def finals(self, *, stream: str | None, session: str | None, start: int) -> Page:
        stream, session = stream or "s", session or "t"
        return Page(stream, session, [Entry(stream, session, start, b'{"seq":5}')], more=False)

    async def sessions(self) -> list[Session]:
        return []

    async def status(self) -> list[Health]:
        return []

    async def pause(self, stream: str | None) -> None:
        return

    async def resume(self, stream: str | None) -> None:
        return

    async def forget(self, session: str) -> int:
        return 0


def converse(context: Any, gate: Gate, settings: Control, talk: Any) -> Any:
    """Run ``talk(endpoint)`` in a thread beside a control server."""

    async def both() -> Any:
        server = ControlServer(settings, Desk(), context=context, gate=gate)
        serving = asyncio.create_task(server.serve())
        try:
            return await asyncio.to_thread(talk, server.endpoint)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            server.close()

    return asyncio.run(both())


@pytest.mark.parametrize("kind", ["REQ", "DEALER"])
def test_requests_are_answered(context: Any, gate: Gate, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "run" / "control"

    def talk(endpoint: str) -> Any:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with context.socket(getattr(zmq, kind)) as client:
            client.connect(endpoint)
            client.send(b'{"v":1,"do":"finals","stream":"s","session":"t","from":5}')
            assert client.poll(5000)
            return json.loads(client.recv())

    told = converse(context, gate, Control(endpoint=f"ipc://{file}"), talk)
    assert told["messages"] == [{"seq": 5}]
    assert not file.exists()


def test_hostile_peers_get_an_error_or_are_cut_off(context: Any, gate: Gate) -> None:
    hostile = [
        [b"junk"],
        [b""],
        [b"", b"", b""],
        [b"a", b"b", b"c"],
        [b"\xff" * 70_000],
        [b'{"v":1,"do":"finals","from":"x"}'],
    ]

    def talk(endpoint: str) -> list[Any]:
        answers = []
        with context.socket(zmq.DEALER) as client:
            client.connect(endpoint)
            for frames in hostile:
                client.send_multipart(frames)
                assert client.poll(5000), frames
                answers.append(json.loads(client.recv_multipart()[-1]))
        with context.socket(zmq.DEALER) as client:
            client.setsockopt(zmq.LINGER, 0)
            client.connect(endpoint)
            client.send(b"x" * (2 << 20))
            assert not client.poll(300)
        with context.socket(zmq.DEALER) as client:
            client.connect(endpoint)
            client.send(b'{"v":1,"do":"status"}')
            assert client.poll(5000)
            answers.append(json.loads(client.recv()))
        return answers

    *refused, status = converse(context, gate, Control(endpoint=ANY_PORT), talk)
    assert [answer["ok"] for answer in refused] == [False] * len(hostile)
    assert all(answer["error"] for answer in refused)
    assert status == {"v": 1, "ok": True, "do": "status", "health": []}
