from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from runtime.journal_store import Entry, JournalError, Page, Session
from runtime.profiling.switch import ProfileStarted
from runtime.wire import control
from runtime.wire.control import MAX_REQUEST_BYTES, REQUESTS, answer_to

if TYPE_CHECKING:
    from runtime.profiling.report import ProfileReport
    from runtime.wire.messages import Health


class Desk:
    """Commands that note what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def finals(self, *, stream: str | None, session: str | None, start: int) -> Page:
        self.asked.append(("finals", stream, session, start))
        if stream == "none":
            raise UsageError("stream: got 'none', wanted one of s")
        bodies = [b'{"seq": 3, "x":1.50}', b"\x81\xa3seq\x04"] if start < 5 else []
        entries = [Entry("s", "t", 3 + n, body) for n, body in enumerate(bodies)]
        return Page("s", session or "t", entries, more=bool(bodies))

    async def sessions(self) -> list[Session]:
        return [Session("s", "t", 2, 5, 6)]

    async def status(self) -> list[Health]:
        raise JournalError("j: got a disk that is full")

    async def pause(self, stream: str | None) -> None:
        self.asked.append(("pause", stream))

    async def resume(self, stream: str | None) -> None:
        self.asked.append(("resume", stream))

    async def start_profile(
        self, stream: str | None, *, seconds: float | None
    ) -> list[ProfileStarted]:
        self.asked.append(("start", stream, seconds))
        return [ProfileStarted(stream=stream or "s", seconds=seconds or 60.0, directory="d")]

    async def stop_profile(self, stream: str | None) -> list[ProfileReport]:
        raise UsageError("profile: none runs for 's', wanted a start first")

    async def forget(self, session: str) -> int:
        await asyncio.sleep(3600)
        return 1


def ask(body: bytes | dict[str, Any], desk: Desk | None = None) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = asyncio.run(answer_to(raw, desk or Desk()))
    told = json.loads(answer)
    assert told["v"] == 1
    assert "\n" not in told.get("error", "")
    return dict(told)


def test_finals_are_answered_as_published() -> None:
    desk = Desk()
    request = {"v": 1, "do": "finals", "stream": "s", "session": "t", "from": 3}
    raw = asyncio.run(answer_to(json.dumps(request).encode(), desk))
    assert b'"messages":[{"seq": 3, "x":1.50},{"seq":4}]' in raw
    told = json.loads(raw)
    assert told["ok"]
    assert (told["stream"], told["session"], told["from"]) == ("s", "t", 3)
    assert (told["more"], told["next"]) == (True, 5)
    assert desk.asked == [("finals", "s", "t", 3)]


def test_finals_ask_for_all_of_the_current_session_by_default() -> None:
    desk = Desk()
    ask({"v": 1, "do": "finals"}, desk)
    assert desk.asked == [("finals", None, None, 0)]


def test_where_nothing_is_stored_the_stream_and_session_are_named() -> None:
    told = ask({"v": 1, "do": "finals", "from": 5})
    assert (told["stream"], told["session"]) == ("s", "t")
    assert (told["messages"], told["more"], told["next"]) == ([], False, 5)


def test_pause_and_resume_name_a_stream_or_all() -> None:
    desk = Desk()
    assert ask({"v": 1, "do": "pause"}, desk) == {"v": 1, "ok": True, "do": "pause", "stream": None}
    ask({"v": 1, "do": "resume", "stream": "s"}, desk)
    assert desk.asked == [("pause", None), ("resume", "s")]


def test_a_profile_names_a_stream_or_all_and_its_seconds() -> None:
    desk = Desk()
    told = ask({"v": 1, "do": "profile", "action": "start", "seconds": 5}, desk)
    assert told["profiles"] == [{"stream": "s", "seconds": 5.0, "directory": "d"}]
    ask({"v": 1, "do": "profile", "action": "start", "stream": "a"}, desk)
    assert desk.asked == [("start", None, 5.0), ("start", "a", None)]


def test_sessions_are_told() -> None:
    assert ask({"v": 1, "do": "sessions"})["sessions"] == [
        {"stream": "s", "session": "t", "n_finals": 2, "first_ns": 5, "last_ns": 6}
    ]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "got b'', wanted one JSON object"),
        (b"hello", "got b'hello', wanted one JSON object"),
        (b"\x81\xa1v\x01", "got b'\\x81\\xa1v\\x01', wanted one JSON object"),
        (b"[1]", "got b'[1]', wanted one JSON object"),
        (b'{"v":1', "got b'{\"v\":1', wanted one JSON or MessagePack object"),
        (b'{"v":1,"do":"\xff"}', "wanted one JSON or MessagePack object"),
        (b'{"a":' * 9_000, "wanted one JSON or MessagePack object"),
        (b" " * (MAX_REQUEST_BYTES + 1), "got a request of 65537 bytes, wanted at most 65536"),
        ({"v": 1}, "do: got None, wanted one of finals, sessions, status, pause, resume, forget"),
        ({"v": 1, "do": ["finals"]}, "do: got ['finals'], wanted one of"),
        ({"v": 1, "do": "destroy"}, "do: got 'destroy', wanted one of finals"),
        ({"do": "status"}, "v: got nothing, wanted 1"),
        ({"v": 2, "do": "status"}, "v: got 2, wanted 1"),
        ({"v": True, "do": "status"}, "v: got true, wanted 1"),
        ({"v": 1, "do": "finals", "from": -1}, "from: got -1, wanted a seq, a whole number from 0"),
        ({"v": 1, "do": "finals", "from": 1.5}, "from: got 1.5, wanted a seq"),
        ({"v": 1, "do": "finals", "stream": 5}, "stream: got 5, wanted a name"),
        ({"v": 1, "do": "finals", "stream": "x" * 300}, "wanted a name of 1 to 256 characters"),
        ({"v": 1, "do": "finals", "form": 3}, "form: got an unknown key, wanted from (did you"),
        ({"v": 1, "do": "finals", "stream": "none"}, "stream: got 'none', wanted one of s"),
        ({"v": 1, "do": "forget"}, "session: got nothing, wanted a name"),
        ({"v": 1, "do": "profile"}, "action: got nothing, wanted 'start' or 'stop'"),
        ({"v": 1, "do": "profile", "action": "go"}, "action: got 'go', wanted 'start' or 'stop'"),
        (
            {"v": 1, "do": "profile", "action": "start", "seconds": 0},
            "seconds: got 0, wanted a number of seconds above 0, at most an hour (3600)",
        ),
        (
            {"v": 1, "do": "profile", "action": "stop", "seconds": 5},
            "seconds: got 5 with 'stop', wanted none",
        ),
        ({"v": 1, "do": "profile", "action": "stop"}, "profile: none runs for 's', wanted"),
        ({"v": 1, "do": "status"}, "j: got a disk that is full"),
    ],
)
def test_a_wrong_request_gets_one_clear_error(body: bytes | dict[str, Any], error: str) -> None:
    told = ask(body)
    assert set(told) == {"v", "ok", "error"}
    assert told["ok"] is False
    assert error in told["error"]


def test_a_daemon_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ANSWER_WITHIN_S", 0.001)
    told = ask({"v": 1, "do": "forget", "session": "t"})
    assert told["error"] == "forget: got no answer within 0.001 s"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner)
)


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda body: b"{" + body))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    assert ask(body)["ok"] is False


@given(
    st.fixed_dictionaries(
        {"v": st.just(1), "do": st.sampled_from(sorted(set(REQUESTS) - {"forget"}))},
        optional={"stream": json_values, "session": json_values, "from": json_values},
    )
)
def test_any_fields_get_an_answer(request_: dict[str, Any]) -> None:
    assert isinstance(ask(request_)["ok"], bool)
