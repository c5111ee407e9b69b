"""Charts of a page as numbers: scales with round ticks, where points lie, shades of counts.

The template ``page/parts.html`` draws them, in colours that follow the reader's light or dark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Colour = Literal["eeg", "noise", "text", "other", "fourth"]


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


def scale_of(values: Iterable[float | None], *, n_ticks: int = 6, margin: float = 0.04) -> Scale:
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


UNIT = Scale(0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


@dataclass(frozen=True, slots=True)
class Series:
    """Points of a chart; ``bars`` are the low and high end of each point's interval."""

    name: str
    points: Sequence[tuple[float, float]]
    style: Literal["line", "steps", "dots", "cloud"] = "line"
    colour: Colour = "eeg"
    bars: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a chart's points lie, in pixels from the top left."""

    x_scale: Scale
    y_scale: Scale
    width: int
    height: int
    left: ClassVar[int] = 64
    top: ClassVar[int] = 14

    @property
    def right(self) -> int:
        """The right end of the axes."""
        return self.width - 16

    @property
    def bottom(self) -> int:
        """The lower end of the axes."""
        return self.height - 52

    def x(self, value: float) -> float:
        """Return where a value lies from left to right."""
        return round(self.left + (self.right - self.left) * self.x_scale.share(value), 1)

    def y(self, value: float) -> float:
        """Return where a value lies from top to bottom."""
        return round(self.bottom - (self.bottom - self.top) * self.y_scale.share(value), 1)

    def path(self, series: Series) -> str:
        """Return a series as the path of its line."""
        places = [(self.x(x), self.y(y)) for x, y in series.points]
        if series.style == "line":
            return " ".join(f"{'L' if k else 'M'}{x:g} {y:g}" for k, (x, y) in enumerate(places))
        steps = [f"H{x:g} V{y:g}" for x, y in places[1:]]
        return " ".join([f"M{places[0][0]:g} {places[0][1]:g}", *steps]) if places else ""

    def cloud(self, points: Sequence[tuple[float, float]]) -> str:
        """Return many points as one path of dots."""
        return " ".join(f"M{self.x(x):g} {self.y(y):g}h0" for x, y in points)


@dataclass(frozen=True, slots=True)
class Chart:
    """Points on two axes.

    ``alt`` says in words what is seen. ``diagonal`` names the line from (0, 0) to (1, 1), if it is
    to be drawn; ``levels`` are heights that are marked from left to right, with their names.
    """

    caption: str
    alt: str
    x_axis: str
    y_axis: str
    x: Scale
    y: Scale
    series: Sequence[Series]
    diagonal: str = ""
    levels: Sequence[tuple[float, str]] = ()
    is_wide: bool = False
    kind: ClassVar[str] = "chart"

    @property
    def frame(self) -> Frame:
        """Where points lie."""
        return Frame(self.x, self.y, 940 if self.is_wide else 480, 330)

    @property
    def legend(self) -> list[tuple[str, str, str]]:
        """What is drawn: name, style and colour."""
        found = [(one.name, str(one.style), str(one.colour)) for one in self.series]
        marks = [self.diagonal] if self.diagonal else []
        return [*found, *((name, "mark", "") for name in [*marks, *(n for _, n in self.levels)])]


@dataclass(frozen=True, slots=True)
class Heat:
    """A table of counts as shades: a row is what was meant, a column what was written."""

    caption: str
    alt: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: Sequence[Sequence[int]]
    kind: ClassVar[str] = "heat"

    @property
    def is_upright(self) -> bool:
        """Say whether the columns' names have room side by side."""
        return all(len(name) <= 2 for name in self.columns)

    @property
    def top(self) -> int:
        """Where the cells begin, under the names."""
        longest = max((len(name) for name in self.columns), default=0)
        return 44 if self.is_upright else 32 + 8 * longest

    @property
    def size(self) -> int:
        """The width of a cell in pixels."""
        return max(18, min(44, 800 // max(1, len(self.columns))))

    @property
    def left(self) -> int:
        """Where the cells begin, behind the longest name."""
        return 36 + 8 * max((len(name) for name in self.rows), default=0)

    @property
    def width(self) -> int:
        """Of the whole."""
        return self.left + self.size * len(self.columns) + 8

    @property
    def height(self) -> int:
        """Of the whole."""
        return self.top + self.size * len(self.rows) + 8

    @property
    def has_counts(self) -> bool:
        """Say whether the counts have room in their cells."""
        most = max((n for row in self.counts for n in row), default=0)
        return 6.5 * len(str(most)) <= self.size

    def shade(self, row: int, count: int) -> float:
        """Return how dark a count is drawn: its share of the row, and never too faint to see."""
        return round(0.06 + 0.94 * count / max(1, sum(self.counts[row])), 3)
