"""What a listener knows of one stream, and how that looks on a terminal.

:class:`Heard` takes messages and does no I/O; :func:`draw` shows it. The first thing to see is the
text, or else, in plain words, why there is none.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from runtime.wire.messages import EventMessage, Final, Health, Partial

if TYPE_CHECKING:
    from rich.console import RenderableType

    from runtime.wire.messages import Latency, Message, Quality, Spread, State

SHOWN_EVENTS = 5
QUIET_S = 3.0
"""Health comes every second; after this long without any the daemon is gone."""

WHY: dict[State, str] = {
    "waiting": "Waiting for the EEG stream: is the headset on, and its LSL app running?",
    "silent": "The EEG stream is there but sends no samples: is the headset on?",
    "filling": "Samples arrive; the first window is not full yet.",
    "idle": "Samples arrive; nothing to decode now (no stimulus, or nothing is being said).",
    "decoding": "",
    "paused": "Paused: nothing is decoded until somebody resumes.",
    "stopping": "The daemon is stopping.",
}

QUALITY_STYLES = {
    "good": "green",
    "noisy": "yellow",
    "clipped": "red",
    "flat": "red",
    "missing": "red",
}

STAGES = ("transport", "queue", "filter", "model", "decode", "publish", "total")


@dataclass
class Heard:
    """The newest of everything heard from one stream. Times are seconds of a monotonic clock."""

    stream: str
    session: str = ""
    transcript: str = ""
    tail: str = ""
    model: str = ""
    verified: bool = False
    latency: Latency | None = None
    confidence: float | None = None
    health: Health | None = None
    heard_s: float = 0.0
    events: deque[EventMessage] = field(default_factory=lambda: deque(maxlen=SHOWN_EVENTS))

    def take(self, message: Message, *, now_s: float) -> None:
        """Take in one message of this stream."""
        self.heard_s = now_s
        if message.session != self.session and not isinstance(message, Final):
            self.session, self.transcript, self.tail = message.session, "", ""
        if isinstance(message, EventMessage):
            self.events.append(message)
        elif isinstance(message, Health):
            self.health = message
        else:
            self.latency, self.confidence = message.latency_ms, message.confidence
            self.model, self.verified = message.model.name, message.model.verified
            if isinstance(message, Partial):
                self.tail = message.text
            else:
                self.session, self.transcript, self.tail = message.session, message.transcript, ""

    def why_nothing(self, *, now_s: float) -> str:
        """Return in plain words why no text comes, "" when it does."""
        quiet_s = now_s - self.heard_s
        if quiet_s > QUIET_S:
            return f"Nothing heard for {quiet_s:.0f} s: the daemon stopped, or is cut off."
        if self.health is None:
            return ""
        return plain(self.health.reason or "") or WHY[self.health.state]


def plain(text: str) -> str:
    """Return ``text`` on one line, with nothing in it that steers a terminal."""
    return "".join(
        " " if char.isspace() else char if unicodedata.category(char)[0] != "C" else "\ufffd"
        for char in text
    )


def draw(heard: Heard, *, now_s: float) -> RenderableType:
    """Return the panel of one stream."""
    parts: list[RenderableType] = [_text(heard)]
    why = heard.why_nothing(now_s=now_s)
    if why:
        parts.append(Text(why, style="yellow"))
    if heard.health is not None:
        parts += [Text(""), _rates(heard.health), _latencies(heard, heard.health)]
        if heard.health.quality:
            parts.append(_quality(heard.health.quality))
    parts += [_event(event) for event in heard.events]
    name = f"{heard.stream} · {plain(heard.model)}" if heard.model else heard.stream
    proof = "" if heard.verified or not heard.model else " · not verified to read EEG"
    return Panel(Group(*parts), title=Text(name + proof), title_align="left")


def _text(heard: Heard) -> Text:
    """Return the transcript with the uncommitted tail."""
    text = Text(plain(heard.transcript), style="bold")
    text.append(plain(heard.tail), style="not bold dim italic")
    if heard.confidence is not None and heard.transcript:
        text.append(f"   ({heard.confidence:.0%} sure)", style="not bold dim")
    return text


def _rates(health: Health) -> Text:
    """Return one line of rates and losses."""
    counters = health.counters
    nominal = "" if health.rates.nominal_hz is None else f" of {health.rates.nominal_hz:g}"
    lost = counters.samples_lost + counters.samples_overrun
    words = [
        f"{health.state}",
        f"{health.rates.received_hz:.0f}{nominal} samples/s",
        f"{health.rates.decodes_hz:.1f} decodes/s",
        f"{counters.finals} finals",
        f"{lost} samples lost",
        f"{counters.windows_skipped} windows skipped",
    ]
    return Text(" · ".join(words), style="red" if lost or counters.windows_skipped else "dim")


def _latencies(heard: Heard, health: Health) -> RenderableType:
    """Return milliseconds by stage: of the last text, and over all of late."""
    table = Table(box=None, padding=(0, 1), show_edge=False)
    table.add_column("ms", style="dim")
    for stage in STAGES:
        table.add_column(stage, justify="right")
    last = heard.latency
    if last is not None:
        table.add_row("last", *(_ms(getattr(last, stage)) for stage in STAGES))
    for figure in ("p50", "p99"):
        spreads: list[Spread | None] = [health.latency_ms.get(stage) for stage in STAGES]
        table.add_row(figure, *(_ms(getattr(spread, figure, None)) for spread in spreads))
    table.add_row("over", *(_share(health.latency_ms.get(stage)) for stage in STAGES))
    return table


def _share(spread: Spread | None) -> str:
    """Return how many of the decodes were over the stage's budget."""
    if spread is None or spread.over_budget is None:
        return "-"
    return f"{spread.over_budget:.1%}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _quality(channels: tuple[Quality, ...]) -> Text:
    """Return every channel by name, those that are not good with what is wrong."""
    n_good = sum(channel.state == "good" for channel in channels)
    text = Text(f"{n_good} of {len(channels)} channels good: ", style="dim")
    for channel in channels:
        rms = "" if channel.rms_uv is None else f" {channel.rms_uv:.0f} µV"
        words = plain(channel.channel)
        if channel.state != "good":
            words += f" {channel.state}{rms}"
        text.append(f"{words}  ", style=QUALITY_STYLES[channel.state])
    return text


def _event(event: EventMessage) -> Text:
    """Return one line of an event."""
    figures = " ".join(f"{plain(key)}={plain(str(f))}" for key, f in event.figures.items())
    return Text(f"{plain(event.kind)} at sample {event.sample} {figures}", style="cyan")
