from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.values import Hypothesis
from runtime.wire.messages import (
    TOPICS,
    Counters,
    EventMessage,
    Final,
    Health,
    Latency,
    Message,
    ModelName,
    Partial,
    Quality,
    Rates,
    Spread,
    as_object,
    canonical,
    decode,
    decode_object,
    encode,
    is_canonical,
    schema,
    topic_of,
)

ENVELOPE: dict[str, Any] = {"stream": "s", "session": "t", "seq": 3, "host_ns": 5}
BODY: dict[str, Any] = {
    "text": "é",
    "symbols": ("é",),
    "confidence": None,
    "nbest": (Hypothesis("é", -1.0, -0.5, -0.25),),
    "start_s": 1.0,
    "end_s": 2.0,
    "samples": (0, 40),
    "tainted": False,
    "model": ModelName(name="demo", sha256="0" * 64, verified=True),
    "latency_ms": Latency(
        transport=None, queue=None, filter=0.1, model=0.2, decode=0.3, publish=0.4, total=1.0
    ),
}
PARTIAL = Partial(**ENVELOPE, **BODY)
FINAL = Final(**ENVELOPE, **BODY, delete=0, index=0, transcript_length=1, transcript="é")
EVENT = EventMessage(**ENVELOPE, kind="gap", sample=7, figures={"n_samples": 127, "why": None})
SPREAD = Spread(n=1, mean=1.0, p50=1.0, p95=1.0, p99=1.0, max=1.0)
HEALTH = Health(
    **ENVELOPE,
    state="waiting",
    reason="no stream",
    rates=Rates(nominal_hz=250.0, received_hz=0.0, decodes_hz=0.0),
    buffer_fill=0.0,
    lag_ms=None,
    latency_ms={"total": SPREAD},
    over_budget=0.0,
    quality=(Quality(channel="Cz", state="flat", rms_uv=0.0, line_share=None),),
    counters=Counters(samples_received=4),
)
MESSAGES: list[Message] = [PARTIAL, FINAL, EVENT, HEALTH]


@cache
def validator(topic: str) -> jsonschema.Draft202012Validator:
    whole = schema()
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole | {"anyOf": [{"$ref": f"#/$defs/{topic}"}]})


@pytest.mark.parametrize("message", MESSAGES, ids=topic_of)
@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_a_message_survives_the_wire(message: Message, form: Any) -> None:
    assert decode(topic_of(message), encode(message, form)) == message


def test_figures_are_fields_of_the_object() -> None:
    whole = json.loads(encode(EVENT))
    assert whole == {
        "v": 1,
        "stream": "s",
        "session": "t",
        "seq": 3,
        "host_ns": 5,
        "kind": "gap",
        "sample": 7,
        "n_samples": 127,
        "why": None,
    }


def test_a_figure_may_not_hide_a_field() -> None:
    event = EventMessage(**ENVELOPE, kind="gap", sample=7, figures={"seq": 1})
    with pytest.raises(ValueError, match="figure 'seq' has the name of a field"):
        encode(event)


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_a_figure_that_is_no_number_becomes_null(form: Any) -> None:
    event = EventMessage(**ENVELOPE, kind="gap", sample=7, figures={"jitter_ms": float("nan")})
    assert decode_object(encode(event, form))["jitter_ms"] is None


@pytest.mark.parametrize("message", MESSAGES, ids=topic_of)
def test_the_schema_takes_our_messages_with_fields_of_tomorrow(message: Message) -> None:
    whole = json.loads(encode(message))
    validator(topic_of(message)).validate(whole)
    validator(topic_of(message)).validate(whole | {"tomorrow": {"a": [1]}})


@pytest.mark.parametrize("message", MESSAGES, ids=topic_of)
def test_the_schema_wants_every_field_and_its_type(message: Message) -> None:
    whole = json.loads(encode(message))
    required = [key for key in whole if key not in ("n_samples", "why")]
    for key in required:
        without = {k: value for k, value in whole.items() if k != key}
        assert not validator(topic_of(message)).is_valid(without), key
        assert not validator(topic_of(message)).is_valid(whole | {key: object}), key


def test_the_schema_has_a_definition_per_topic() -> None:
    assert set(TOPICS) <= set(schema()["$defs"])
    assert set(TOPICS) == {"text.partial", "text.final", "event", "health"}


def test_canonical_leaves_out_what_differs_between_two_runs() -> None:
    other = msgspec.structs.replace(
        FINAL,
        session="u",
        seq=9,
        host_ns=6,
        start_s=9.0,
        end_s=10.0,
        latency_ms=msgspec.structs.replace(FINAL.latency_ms, total=5.0),
    )
    assert canonical(other) == canonical(FINAL)
    assert canonical(FINAL) == (
        '{"confidence":null,"delete":0,"index":0,"model":{"name":"demo","sha256":"'
        + "0" * 64
        + '",'
        '"verified":true},"nbest":[{"lm_score":-0.25,"model_score":-0.5,"score":-1.0,"text":"é"}],'
        '"samples":[0,40],"stream":"s","symbols":["é"],"tainted":false,"text":"é",'
        '"topic":"text.final","transcript":"é","transcript_length":1,"v":1}'
    )


def test_canonical_keeps_what_must_not_differ() -> None:
    for change in ({"text": "f"}, {"samples": (0, 41)}, {"delete": 1}, {"tainted": True}):
        assert canonical(msgspec.structs.replace(FINAL, **change)) != canonical(FINAL)
    partial = Partial(**{key: getattr(FINAL, key) for key in PARTIAL.__struct_fields__})
    assert canonical(partial) != canonical(FINAL)


def test_health_and_timing_events_are_not_canonical() -> None:
    late = msgspec.structs.replace(EVENT, kind="late")
    assert [is_canonical(m) for m in (*MESSAGES, late)] == [True, True, True, False, False]


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
@example(b"\x80")  # an object of MessagePack with nothing in it
def test_any_body_is_decoded_or_refused(body: bytes) -> None:
    for topic in (*TOPICS, "x"):
        with pytest.raises(ValueError, match=r"got|expected|missing"):
            decode(topic, body)


@given(st.sampled_from(MESSAGES), st.sampled_from(["json", "msgpack"]), st.data())
def test_a_mutated_message_is_decoded_or_refused(message: Message, form: Any, data: Any) -> None:
    body = bytearray(encode(message, form))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(topic_of(message), bytes(body))
    except ValueError:
        return


def test_as_object_is_what_encode_writes() -> None:
    for message in MESSAGES:
        assert json.loads(encode(message)) == json.loads(json.dumps(as_object(message)))


def test_a_message_nested_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted one JSON or MessagePack object"):
        decode_object(b'{"a":' * 100_000)
