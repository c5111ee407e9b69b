"""What a page is made of: sections of tables and strips; here without any HTML.

A strip is a row of a table whose last cell draws the estimate and its interval on a scale that all
rows share, so that figure and table are one thing and can be read aloud.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from tools.evaluation.report.charts import scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.evaluation.report.charts import Chart, Heat, Scale

MOST_WIDE = 26

Kind = Literal["eeg", "noise", "text", "other"]
"""Whose figure it is: the system's own, an input without EEG, text alone, or none of these."""


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
    """Rows on one scale, in groups by title; ``columns`` names the further cells.

    ``is_spread``: what is drawn is no interval of an estimate, and is told by the cells.
    """

    caption: str
    axis: str
    groups: Sequence[tuple[str, Sequence[Strip]]]
    columns: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    is_share: bool = False
    digits: int = 3
    first: str = "what"
    is_spread: bool = False
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

    @property
    def has_intervals(self) -> bool:
        """Say whether an estimate stands with its interval."""
        return not self.is_spread and any(strip.interval is not None for strip in self.strips)

    @property
    def name_width(self) -> int:
        """How many characters wide the names are; longer ones are broken."""
        return min(MOST_WIDE, max((len(strip.name) for strip in self.strips), default=0) + 1)

    def told(self, strip: Strip) -> str:
        """Return a row's estimate and interval as text."""
        digits = ".1%" if self.is_share else f".{self.digits}f"
        if strip.interval is None or self.is_spread:
            return f"{strip.estimate:{digits}}"
        low, high = strip.interval
        return f"{strip.estimate:{digits}} [{low:{digits}}, {high:{digits}}]"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; ``is_text``: somebody's text, shown as it is, spaces and all."""

    text: str
    is_text: bool = False
    is_number: bool = False
    look: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A plain table; the first cell of a row is its head; a folded one is opened by the reader."""

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    look: str = ""
    is_folded: bool = False
    kind: ClassVar[str] = "table"

    def is_number(self, column: int) -> bool:
        """Say whether a column holds numbers."""
        return bool(self.rows) and self.rows[0][column].is_number


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


Part: TypeAlias = "Strips | Table | Facts | Note | Chart | Heat"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, one sentence on how to read what follows, and what follows."""

    title: str
    reading: str
    parts: Sequence[Part] = field(default_factory=tuple)

    @property
    def anchor(self) -> str:
        """The name to link to."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


def number(value: float | None, digits: str = ".3f") -> Cell:
    """Return a cell with a number, empty where there is none."""
    return Cell("" if value is None else f"{value:{digits}}", is_number=True)


def text(value: str) -> Cell:
    """Return a cell with somebody's text; of nothing but space, so that it is seen."""
    return Cell(value if value.strip() else value.replace(" ", "␣"), is_text=True)
