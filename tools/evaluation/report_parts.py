"""What a page is made of: sections of tables, strips and charts; here without any HTML.

A strip is a row of a table whose last cell draws the estimate and its interval on a scale that all
rows share, so that figure and table are one thing and can be read aloud.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["eeg", "noise", "text", "other"]
"""Whose figure it is: the system's own, an input without EEG, text alone, or none of these."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return where ``value`` lies, 0 at the low end and 1 at the high one, held within."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def label(self, tick: float) -> str:
        """Return a tick as text, with the digits that tell it from its neighbours."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        n_digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{tick + 0.0:.{n_digits}f}"


def scale_of(values: Iterable[float | None], *, n_ticks: int = 5, margin: float = 0.04) -> Scale:
    """Return a scale that holds all finite ``values``, with about ``n_ticks`` ticks."""
    known = [v for v in values if v is not None and math.isfinite(v)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    room = (high - low) * margin
    low, high = low - room, high + room
    rough = (high - low) / n_ticks
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1.0, 2.0, 5.0, 10.0) if k * power >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Scale(low, high, tuple(k * step for k in range(first, last + 1)))


@dataclass(frozen=True, slots=True)
class Strip:
    """One row: a name, an estimate with its interval, and what else its table tells.

    ``chance``: what would be had without EEG, where that differs from row to row.
    """

    name: str
    estimate: float
    interval: tuple[float, float] | None = None
    kind: Kind = "other"
    cells: tuple[str, ...] = ()
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A value that is marked through all rows, with what it means."""

    value: float
    name: str


@dataclass(frozen=True, slots=True)
class Strips:
    """Rows on one scale, in groups by title; ``columns`` names the further cells."""

    caption: str
    axis: str
    groups: Sequence[tuple[str, Sequence[Strip]]]
    columns: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    is_share: bool = False
    first: str = "what"
    kind: ClassVar[str] = "strips"

    @property
    def strips(self) -> list[Strip]:
        """All rows."""
        return [strip for _, strips in self.groups for strip in strips]

    @property
    def scale(self) -> Scale:
        """The scale that all rows share."""
        values: list[float | None] = [line.value for line in self.lines]
        for strip in self.strips:
            values += [strip.estimate, *(strip.interval or ()), strip.chance]
        return scale_of(values)

    @property
    def has_own_chance(self) -> bool:
        """Say whether chance is a matter of the row."""
        return any(strip.chance is not None for strip in self.strips)

    def told(self, strip: Strip) -> str:
        """Return a row's estimate and interval as text."""
        digits = ".1%" if self.is_share else ".3f"
        if strip.interval is None:
            return f"{strip.estimate:{digits}}"
        low, high = strip.interval
        return f"{strip.estimate:{digits}} [{low:{digits}}, {high:{digits}}]"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; ``is_text``: somebody's text, shown as it is, spaces and all."""

    text: str
    is_text: bool = False
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A plain table; the first cell of a row is its head."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    kind: ClassVar[str] = "table"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    items: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence."""

    text: str
    kind: ClassVar[str] = "note"


@dataclass(frozen=True, slots=True)
class Series:
    """Points of a chart; ``bars`` are the low and high end of each point's interval."""

    name: str
    points: Sequence[tuple[float, float]]
    style: Literal["line", "steps", "dots", "cloud"] = "line"
    colour: int = 0
    bars: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Points on two axes; ``alt`` says in words what is seen."""

    caption: str
    alt: str
    x_axis: str
    y_axis: str
    x: Scale
    y: Scale
    series: Sequence[Series]
    diagonal: str = ""
    lines: Sequence[Line] = ()
    """Heights that are marked from left to right."""
    is_wide: bool = False
    kind: ClassVar[str] = "chart"


@dataclass(frozen=True, slots=True)
class Heat:
    """A table of counts as shades: a row is what was meant, a column what was written."""

    caption: str
    alt: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: Sequence[Sequence[int]]
    kind: ClassVar[str] = "heat"


Part = Strips | Table | Facts | Note | Chart | Heat


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, one sentence on how to read what follows, and what follows."""

    title: str
    reading: str
    parts: Sequence[Part] = field(default_factory=tuple)
    simulated: bool = False

    @property
    def anchor(self) -> str:
        """The name to link to."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def number(value: float | None, digits: str = ".3f") -> Cell:
    """Return a cell with a number, empty where there is none."""
    return Cell("" if value is None else f"{value:{digits}}", is_number=True)


def text(value: str) -> Cell:
    """Return a cell with somebody's text."""
    return Cell(value, is_text=True)
