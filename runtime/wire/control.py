"""The ROUTER socket: one JSON request, one JSON answer.

A request is ``{"v": 1, "do": …}``; an answer has ``ok``, and ``error`` in one sentence when that is
false. Whatever arrives is answered: not JSON, too long, of a wrong type, of tomorrow.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import msgspec
import zmq
import zmq.asyncio
from msgspec import Meta

from pipeline.errors import EegscribeError
from runtime.config_values import ProfileSeconds  # noqa: TC001 - msgspec reads it
from runtime.tables import Table, read_table, shown
from runtime.wire.curve import Gate, read_keys
from runtime.wire.endpoints import bind, unlink
from runtime.wire.messages import Health, decode_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.config import Control
    from runtime.journal_store import Page, Session
    from runtime.profiling.report import ProfileReport
    from runtime.profiling.switch import ProfileStarted

MAX_REQUEST_BYTES = 1 << 16
MAX_FRAME_BYTES = 1 << 20
"""A peer that sends more than this is cut off; between the two limits it gets an answer."""

ANSWER_WITHIN_S = 5.0

Version = Annotated[Literal[1], Meta(description="1")]
Verb = Annotated[str, Meta(description="the name of a request")]
Name = Annotated[
    str, Meta(min_length=1, max_length=256, description="a name of 1 to 256 characters")
]
From = Annotated[int, Meta(ge=0, description="a seq, a whole number from 0")]

Action = Annotated[Literal["start", "stop"], Meta(description="'start' or 'stop'")]


class Request(Table, frozen=True):
    """What every request has."""

    v: Version
    do: Verb


class OfStream(Request, frozen=True):
    """``pause``, ``resume``: one stream, or all of them."""

    stream: Name | None = None


class Finals(OfStream, frozen=True):
    """``finals``: the stored ones of a session from a ``seq`` on; by default all of the current."""

    session: Name | None = None
    start: From = msgspec.field(default=0, name="from")


class Profile(Request, frozen=True):
    """``profile``: look where the time of a stream goes, or of all, for ``seconds`` at most."""

    action: Action
    stream: Name | None = None
    seconds: ProfileSeconds | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield seconds of a profile that shall end now."""
        if self.action == "stop" and self.seconds is not None:
            yield "seconds", f"got {self.seconds:g} with 'stop', wanted none"


class Forget(Request, frozen=True):
    """``forget``: erase a session."""

    session: Name


REQUESTS: dict[str, type[Request]] = {
    "finals": Finals,
    "sessions": Request,
    "status": Request,
    "pause": OfStream,
    "resume": OfStream,
    "forget": Forget,
    "profile": Profile,
}


class Commands(Protocol):
    """What the daemon does for those who ask. An :class:`EegscribeError` becomes the answer."""

    async def finals(self, *, stream: str | None, session: str | None, start: int) -> Page:
        """Return stored finals; of the only stream and its current session where None."""
        ...

    async def sessions(self) -> list[Session]:
        """Return the stored sessions."""
        ...

    async def status(self) -> list[Health]:
        """Return the newest health of each stream."""
        ...

    async def pause(self, stream: str | None) -> None:
        """Stop decoding a stream, or all."""
        ...

    async def resume(self, stream: str | None) -> None:
        """Go on decoding."""
        ...

    async def start_profile(
        self, stream: str | None, *, seconds: float | None
    ) -> list[ProfileStarted]:
        """Profile a stream, or all, for a time; None is the configured one."""
        ...

    async def stop_profile(self, stream: str | None) -> list[ProfileReport]:
        """End the profile of a stream, or of all, and return what was found and where it is."""
        ...

    async def forget(self, session: str) -> int:
        """Erase a session and return how many finals that were."""
        ...


class ControlServer:
    """Answers requests on the control endpoint.

    Raises:
        ConfigError: the endpoint cannot be bound here, or a key file is wrong.
        EndpointInUse: another process has it.
    """

    def __init__(
        self,
        settings: Control,
        commands: Commands,
        *,
        context: zmq.Context[zmq.Socket[bytes]],
        gate: Gate,
    ) -> None:
        self._commands = commands
        self._socket = zmq.asyncio.Context(context).socket(zmq.ROUTER)
        with ExitStack() as undo:
            undo.callback(self._socket.close)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
            self._socket.setsockopt(zmq.SNDHWM, 8)  # answers may be 4 MiB
            self._socket.setsockopt(zmq.LINGER, 0)
            plain: zmq.Socket[bytes] = zmq.Socket.shadow(self._socket.underlying)
            if settings.curve is not None:
                keys = read_keys(settings.curve, where="control.curve")
                gate.guard(plain, keys, domain="control")
            self.endpoint = bind(plain, settings.endpoint, where="control.endpoint")
            undo.pop_all()

    async def serve(self) -> None:
        """Answer one request after the other until cancelled."""
        while True:
            frames = await self._socket.recv_multipart()
            *route, body = frames  # a REQ socket puts an empty frame after its address
            answer = await answer_to(body, self._commands) if route else b""
            if answer:
                await self._socket.send_multipart([*route, answer])

    def close(self) -> None:
        """Close the socket; cancel :meth:`serve` first."""
        unlink(self.endpoint)
        self._socket.close()


async def answer_to(body: bytes, commands: Commands) -> bytes:
    """Return the answer to one request, whatever it is."""
    try:
        request = read_request(body)
        async with asyncio.timeout(ANSWER_WITHIN_S):
            answer = await _carry_out(request, commands)
    except TimeoutError:
        return _refusal(f"{request.do}: got no answer within {ANSWER_WITHIN_S:g} s")
    except (ValueError, EegscribeError) as error:
        return _refusal(str(error))
    return msgspec.json.encode({"v": 1, "ok": True, "do": request.do} | answer)


def read_request(body: bytes) -> Request:
    """Return the request in ``body``.

    Raises:
        ValueError: it is none; says why in one sentence.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise ValueError(f"got a request of {len(body)} bytes, wanted at most {MAX_REQUEST_BYTES}")
    if body[:1] != b"{":
        raise ValueError(f"got {body[:40]!r}, wanted one JSON object")
    whole = decode_object(body)
    name = whole.get("do")
    kind = REQUESTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"do: got {shown(name)}, wanted one of {', '.join(REQUESTS)}")
    request, problems = read_table(whole, kind, where="", hook=_no_hook)
    if request is None:
        raise ValueError(problems[0])
    return request


async def _carry_out(request: Request, commands: Commands) -> dict[str, Any]:
    """Return what the answer says beside ``ok``."""
    match request:
        case Finals():
            page = await commands.finals(
                stream=request.stream, session=request.session, start=request.start
            )
            return _finals(page, request)
        case Profile(action="start"):
            started = await commands.start_profile(request.stream, seconds=request.seconds)
            return {"profiles": started}
        case Profile():
            return {"profiles": await commands.stop_profile(request.stream)}
        case OfStream():
            run = commands.pause if request.do == "pause" else commands.resume
            await run(request.stream)
            return {"stream": request.stream}
        case Forget():
            n_finals = await commands.forget(request.session)
            return {"session": request.session, "n_finals": n_finals}
        case _ if request.do == "sessions":
            return {"sessions": await commands.sessions()}
        case _:
            return {"health": await commands.status()}


def _finals(page: Page, request: Finals) -> dict[str, Any]:
    """Return stored finals as they were published; ``next`` is the ``from`` to go on with."""
    return {
        "stream": page.stream,
        "session": page.session,
        "from": request.start,
        "messages": [
            msgspec.Raw(entry.body) if entry.body[:1] == b"{" else decode_object(entry.body)
            for entry in page.entries
        ],
        "more": page.more,
        "next": page.entries[-1].seq + 1 if page.entries else request.start,
    }


def _refusal(error: str) -> bytes:
    return msgspec.json.encode({"v": 1, "ok": False, "error": error})


def _no_hook(kind: type, value: object) -> object:
    raise ValueError
