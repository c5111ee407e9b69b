"""What leaves the daemon: one object a message, under one of four topics.

The fields here are the contract; :func:`schema` prints them as JSON Schema. An event's figures
stand beside its ``kind`` and ``sample``. Readers allow fields they do not know.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pipeline.values import Figure, Hypothesis

Topic = Literal["text.partial", "text.final", "event", "health"]
Format = Literal["json", "msgpack"]
State = Literal["waiting", "silent", "filling", "idle", "decoding", "paused", "stopping"]
"""Waiting for the stream; connected but no samples; too few samples for a window; no stimulus or
nothing due; decoding; paused by the person; about to stop."""

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]

NOT_CANONICAL = frozenset({"session", "seq", "latency_ms", "start_s", "end_s", "host_ns"})
"""What may differ between two runs on the same samples."""

TIMING_KINDS = frozenset(
    {
        *("late", "backlog", "no_stream", "stream_found", "stream_lost", "stream_silent"),
        *("several_streams", "bad_channel"),
        *("journal_failed", "recorder_dropped", "recording_failed"),
        *("profile", "profile_failed"),
    }
)
"""Events about this host, its clock and its disk; no replay can repeat them."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every message carries.

    ``seq`` counts from 0 per session, stream and topic; a restart is a new session. ``host_ns`` is
    the host's wall clock (Unix nanoseconds) when the message was made.
    """

    v: Literal[1] = 1
    stream: str
    session: str
    seq: Count
    host_ns: int


class ModelName(msgspec.Struct, frozen=True, kw_only=True):
    """Which model spoke: ``sha256`` of its manifest; ``verified`` is the evaluator's verdict."""

    name: str
    sha256: str
    verified: bool


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds a decode spent in each stage; the first two are None in replay."""

    transport: float | None
    queue: float | None
    filter: float
    model: float
    decode: float
    publish: float
    total: float


class TextMessage(Envelope, frozen=True, kw_only=True):
    """What partials and finals share.

    ``confidence`` is the probability that this piece is exactly right, None where the bundle has
    no fit. ``start_s`` and ``end_s`` are on the LSL clock, ``samples`` is ``[first, stop)``.
    """

    text: str
    symbols: tuple[str, ...]
    confidence: Share | None
    nbest: tuple[Hypothesis, ...]
    start_s: float | None
    end_s: float | None
    samples: tuple[Count, Count]
    tainted: bool
    model: ModelName
    latency_ms: Latency


class Partial(TextMessage, frozen=True, kw_only=True):
    """The whole uncommitted tail; replaces the partial before it."""


class Final(TextMessage, frozen=True, kw_only=True):
    """Text for ever: appended after ``delete`` characters leave the transcript's end.

    ``index`` counts the finals before it, ``transcript_length`` is the length after it, and
    ``transcript`` holds its last 1000 characters.
    """

    delete: Count
    index: Count
    transcript_length: Count
    transcript: Annotated[str, Meta(max_length=1000)]


class EventMessage(Envelope, frozen=True, kw_only=True):
    """Something that happened at ``sample``; its figures are further fields of the object."""

    kind: str
    sample: int
    figures: dict[str, Figure] = {}


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How ``n`` measured values lie; None without any.

    ``over_budget`` is the share of them above a budget, None where there is none.
    """

    n: Count
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None
    over_budget: Share | None = None


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Per second: samples the stream promises and gives, and decodes made."""

    nominal_hz: float | None
    received_hz: float
    decodes_hz: float


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How one channel looks of late; ``line_share`` is the mains' share of its power."""

    channel: str
    state: Literal["good", "noisy", "flat", "clipped", "missing"]
    rms_uv: float | None
    line_share: float | None


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the session began; ``windows_due`` is the sum of the three after it.

    ``subscribers_overrun`` counts how often a subscriber too slow for its queue began to miss
    messages; which ones it sees from their ``seq``.
    """

    samples_received: Count = 0
    samples_lost: Count = 0
    samples_overrun: Count = 0
    markers_received: Count = 0
    windows_due: Count = 0
    windows_decoded: Count = 0
    windows_skipped: Count = 0
    windows_pending: Count = 0
    decodes_late: Count = 0
    messages_published: Count = 0
    subscribers_overrun: Count = 0
    finals: Count = 0


class Health(Envelope, frozen=True, kw_only=True):
    """Every second: ``state``, and in ``reason`` why nothing is decoded when nothing is.

    ``buffer_fill`` is the share of the history buffer in use, ``lag_ms`` how far decoding is behind
    the newest sample, ``over_budget`` the share of decodes above the total budget. In
    ``latency_ms``, ``publish`` lasts until the decode's messages were sent or given to the journal;
    ``journal`` is how long finals then waited until they were committed and sent.
    """

    state: State
    reason: str | None
    rates: Rates
    buffer_fill: Share
    lag_ms: float | None
    latency_ms: dict[str, Spread]
    over_budget: Share
    quality: tuple[Quality, ...]
    counters: Counters


Message = Partial | Final | EventMessage | Health

TOPICS: dict[Topic, type[Message]] = {
    "text.partial": Partial,
    "text.final": Final,
    "event": EventMessage,
    "health": Health,
}
_TOPIC_OF = {kind: topic for topic, kind in TOPICS.items()}


def topic_of(message: Message) -> Topic:
    """Return the topic under which ``message`` is published."""
    return _TOPIC_OF[type(message)]


def as_object(message: Message) -> dict[str, Any]:
    """Return ``message`` as the object on the wire.

    Raises:
        ValueError: a figure of an event has the name of a field.
    """
    whole: dict[str, Any] = msgspec.to_builtins(message)
    if not isinstance(message, EventMessage):
        return whole
    figures = whole.pop("figures")
    taken = whole.keys() & figures.keys()
    if taken:
        raise ValueError(f"event {message.kind!r}: figure {min(taken)!r} has the name of a field")
    return whole | {name: _finite(figure) for name, figure in figures.items()}


def encode(message: Message, form: Format = "json") -> bytes:
    """Return the body of ``message``: UTF-8 JSON, or MessagePack."""
    whole = as_object(message) if isinstance(message, EventMessage) else message
    return msgspec.json.encode(whole) if form == "json" else msgspec.msgpack.encode(whole)


def decode_object(body: bytes) -> dict[str, Any]:
    """Return the object in ``body``, JSON or MessagePack: their first bytes differ.

    Raises:
        ValueError: it is neither, or no object.
    """
    try:
        if body[:1] == b"{":
            return msgspec.json.decode(body, type=dict[str, Any])
        return msgspec.msgpack.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"got {body[:40]!r}, wanted one JSON or MessagePack object") from error


def decode(topic: str, body: bytes) -> Message:
    """Return the message published as ``body`` under ``topic``.

    Raises:
        ValueError: it is no message of ours.
    """
    return from_object(topic, decode_object(body))


def from_object(topic: str, whole: dict[str, Any]) -> Message:
    """Return the message in an object; fields we do not know are left out.

    Raises:
        ValueError: it is no message of ours.
    """
    kind = {str(name): kind for name, kind in TOPICS.items()}.get(topic)
    if kind is None:
        raise ValueError(f"got topic {topic!r}, wanted one of {', '.join(TOPICS)}")
    if kind is EventMessage:
        known = {*EventMessage.__struct_fields__} - {"figures"}
        figures = {key: whole[key] for key in whole.keys() - known}
        scalars = {k: f for k, f in figures.items() if not isinstance(f, dict | list)}
        whole = {key: whole[key] for key in whole.keys() & known} | {"figures": scalars}
    try:
        return msgspec.convert(whole, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{topic}: {error}") from None


def is_canonical(message: Message) -> bool:
    """Whether replaying the same samples must give ``message`` again."""
    if isinstance(message, EventMessage):
        return message.kind not in TIMING_KINDS
    return not isinstance(message, Health)


def canonical(message: Message) -> str:
    """Return ``message`` as two runs on the same samples must give it: sorted, without clocks."""
    whole = as_object(message) | {"topic": topic_of(message)}
    kept = {key: value for key, value in whole.items() if key not in NOT_CANONICAL}
    return msgspec.json.encode(kept, order="sorted").decode()


def schema() -> dict[str, Any]:
    """Return one JSON Schema (2020-12) with a definition per topic; unknown fields are allowed."""
    _, parts = msgspec.json.schema_components(TOPICS.values(), ref_template="#/$defs/{name}")
    for part in parts.values():
        part["description"] = " ".join(part["description"].replace("``", "").split())
        part["required"] = list(part["properties"])
    event = parts["EventMessage"]
    event["title"] = "Event"
    del event["properties"]["figures"]
    event["required"].remove("figures")
    topics = {topic: parts.pop(kind.__name__) for topic, kind in TOPICS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages of eegscribe, by topic",
        "anyOf": [{"$ref": f"#/$defs/{topic}"} for topic in topics],
        "$defs": topics | parts,
    }


def _finite(figure: Figure) -> Figure:
    """Return ``figure``, or None for what JSON cannot write."""
    return None if isinstance(figure, float) and not math.isfinite(figure) else figure
