from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.values import Event, Hypothesis, Text
from runtime.transcript import HELD_CHARACTERS, Transcript, When, new_session
from runtime.wire.messages import Latency, ModelName, encode

LATENCY = Latency(
    transport=None, queue=None, filter=0.0, model=0.0, decode=0.0, publish=0.0, total=0.0
)
WHEN = When(start_s=1.0, end_s=2.0, latency_ms=LATENCY)


def transcript(**options: Any) -> Transcript:
    model = ModelName(name="demo", sha256="0" * 64, verified=False)
    return Transcript(stream="s", session="t", model=model, clock_ns=lambda: 7, **options)


def text(what: str, *, delete: int = 0, kind: Any = "final") -> Text:
    return Text(kind=kind, text=what, symbols=tuple(what), samples=(0, 4), delete=delete)


def test_a_final_appends_and_a_backspace_is_a_new_final() -> None:
    whole = transcript()
    said = [
        whole.final(text(what, delete=n), when=WHEN, confidence=0.5)
        for what, n in (("helo", 0), ("lo ", 1), ("", 1))
    ]
    assert [m.transcript for m in said] == ["helo", "hello ", "hello"]
    assert [m.transcript_length for m in said] == [4, 6, 5]
    assert [m.index for m in said] == [m.seq for m in said] == [0, 1, 2]
    assert [m.delete for m in said] == [0, 1, 1]
    assert whole.n_finals == 3


def test_a_message_carries_all_the_decoder_said() -> None:
    nbest = (Hypothesis("a", -1.0, -1.0, 0.0),)
    said = transcript().final(
        Text(kind="final", text="a", symbols=("a",), samples=(3, 9), nbest=nbest, tainted=True),
        when=WHEN,
        confidence=0.25,
    )
    assert (said.stream, said.session, said.host_ns) == ("s", "t", 7)
    assert (said.samples, said.nbest, said.tainted, said.confidence) == ((3, 9), nbest, True, 0.25)
    assert (said.start_s, said.end_s, said.latency_ms) == (1.0, 2.0, LATENCY)
    assert said.model.name == "demo"


def test_a_partial_is_said_when_it_changes() -> None:
    whole = transcript()
    tails = ["", "h", "h", "he", "", "h"]
    said = [whole.partial(text(tail, kind="partial"), when=WHEN, confidence=None) for tail in tails]
    assert [m.text if m else None for m in said] == [None, "h", None, "he", "", "h"]
    assert [m.seq for m in said if m] == [0, 1, 2, 3]


def test_with_every_decode_each_partial_is_said() -> None:
    whole = transcript(every_decode=True)
    said = [
        whole.partial(text(tail, kind="partial"), when=WHEN, confidence=None)
        for tail in ("", "", "h")
    ]
    assert [m.seq for m in said if m] == [0, 1, 2]


def test_topics_count_apart() -> None:
    whole = transcript()
    assert whole.event(Event("gap", 3, 3, {"n_samples": 2})).seq == 0
    assert whole.final(text("a"), when=WHEN, confidence=None).seq == 0
    second = whole.event(Event("gap", 4, 4))
    assert (second.seq, second.kind, second.sample) == (1, "gap", 4)


def test_a_delete_of_what_is_not_there_is_refused() -> None:
    whole = transcript()
    whole.final(text("ab"), when=WHEN, confidence=None)
    for n in (3, -1):
        with pytest.raises(ValueError, match=rf"final 1: got delete {n}, wanted 0 to 2"):
            whole.final(text("", delete=n), when=WHEN, confidence=None)
    assert whole.n_finals == 1
    assert whole.end == "ab"


@given(st.lists(st.tuples(st.text(max_size=700), st.integers(0, 900)), max_size=12))
def test_the_transcript_is_what_a_reader_adds_up(steps: list[tuple[str, int]]) -> None:
    whole, read = transcript(), ""
    for what, wish in steps:
        said = whole.final(text(what, delete=min(wish, len(read))), when=WHEN, confidence=None)
        read = read[: len(read) - said.delete] + said.text
        assert said.transcript_length == len(read)
        assert said.transcript == read[-1000:]
        encode(said)


def test_memory_is_bounded_and_the_count_goes_on() -> None:
    whole = transcript()
    for _ in range(5):
        said = whole.final(text("x" * HELD_CHARACTERS), when=WHEN, confidence=None)
    assert said.transcript_length == 5 * HELD_CHARACTERS
    assert len(whole._held) <= 2 * HELD_CHARACTERS


def test_sessions_are_named_by_their_start() -> None:
    name = new_session(lambda: datetime(2026, 11, 22, 5, 13, tzinfo=UTC))
    assert name.startswith("20261122T051300Z-")
    assert new_session() != new_session()
