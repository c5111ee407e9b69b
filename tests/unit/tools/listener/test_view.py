from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from runtime.wire.messages import (
    Counters,
    EventMessage,
    Final,
    Health,
    Latency,
    ModelName,
    Partial,
    Quality,
    Rates,
    Spread,
)
from tools.listener.view import WHY, Heard, draw, plain

ENVELOPE: dict[str, Any] = {"stream": "s", "session": "t", "seq": 0, "host_ns": 0}
BODY: dict[str, Any] = {
    "symbols": (),
    "confidence": 0.93,
    "nbest": (),
    "start_s": None,
    "end_s": None,
    "samples": (0, 1),
    "tainted": False,
    "model": ModelName(name="demo", sha256="", verified=False),
    "latency_ms": Latency(
        transport=0.5, queue=0.1, filter=0.2, model=1.5, decode=0.3, publish=0.4, total=3.0
    ),
}


def final(transcript: str, text: str = "", *, delete: int = 0) -> Final:
    return Final(
        **ENVELOPE,
        **BODY,
        text=text,
        delete=delete,
        index=0,
        transcript_length=len(transcript),
        transcript=transcript,
    )


SPREAD = Spread(n=9, mean=3.0, p50=3.25, p95=4.0, p99=7.75, max=8.0, over_budget=0.125)


def health(state: Any = "decoding", **changes: Any) -> Health:
    fields: dict[str, Any] = {
        "reason": None,
        "rates": Rates(nominal_hz=250.0, received_hz=249.0, decodes_hz=5.0),
        "buffer_fill": 0.1,
        "lag_ms": 1.0,
        "latency_ms": {"total": SPREAD},
        "over_budget": 0.0,
        "quality": (
            Quality(channel="Cz", state="good", rms_uv=9.0, line_share=0.1),
            Quality(channel="Oz", state="flat", rms_uv=0.0, line_share=0.0),
        ),
        "counters": Counters(finals=4),
    }
    return Health(**ENVELOPE, state=state, **fields | changes)


def shown(heard: Heard, *, now_s: float = 0.0) -> str:
    out = io.StringIO()
    Console(file=out, width=200, no_color=True).print(draw(heard, now_s=now_s))
    return out.getvalue()


def heard_of(*messages: Any) -> Heard:
    heard = Heard("s")
    for message in messages:
        heard.take(message, now_s=0.0)
    return heard


def test_text_latency_quality_and_events_are_seen() -> None:
    event = EventMessage(
        **ENVELOPE, kind="gap", sample=70, figures={"n_samples": 127, "jitter_ms": 0.5}
    )
    tail = Partial(**ENVELOPE, **BODY, text="wor")
    view = shown(heard_of(health(), final("hello "), tail, event))
    assert "hello wor" in view
    assert "93% sure" in view
    assert "gap at sample 70 n_samples=127 jitter_ms=0.5" in view
    assert "1 of 2 channels good:" in view
    assert "Oz flat 0 µV" in view
    assert "249 of 250 samples/s" in view
    assert "3.25" in view
    assert "7.75" in view
    assert "12.5%" in view  # over their budget
    assert "not verified to read EEG" in view


@pytest.mark.parametrize("state", [state for state in WHY if state != "decoding"])
def test_why_nothing_is_decoded_is_said_in_plain_words(state: Any) -> None:
    assert WHY[state] in shown(heard_of(health(state)))
    assert "no stream 'Cz'" in shown(heard_of(health(state, reason="no stream 'Cz'")))


def test_while_decoding_nothing_is_explained() -> None:
    assert heard_of(health()).why_nothing(now_s=0.0) == ""


def test_a_daemon_that_fell_silent_is_told() -> None:
    assert "Nothing heard for 9 s" in shown(heard_of(health()), now_s=9.0)


def test_a_final_replaces_the_tail_and_a_new_session_begins_anew() -> None:
    tail = Partial(**ENVELOPE, **BODY, text="wor")
    heard = heard_of(tail, final("word"))
    assert (heard.transcript, heard.tail) == ("word", "")
    heard.take(Partial(**ENVELOPE | {"session": "u"}, **BODY, text="x"), now_s=0.0)
    assert (heard.transcript, heard.tail) == ("", "x")


@given(st.text())
def test_nothing_steers_the_terminal(text: str) -> None:
    safe = plain(text)
    assert len(safe) == len(text)
    assert safe.isprintable() or " " in safe or "\u2028" not in safe
    assert not set(safe) & set("\x1b\x07\r\n\x9b\u202e")


def test_escape_sequences_do_not_reach_the_screen() -> None:
    view = shown(heard_of(final("\x1b]0;owned\x07hi\u202e")))
    assert "\x1b" not in view
    assert "hi" in view
