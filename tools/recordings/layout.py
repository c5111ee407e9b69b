"""A layout: what the person can choose, and what on the screen stands for it.

JSON, one object: ``kind``, ``stimulus`` (the marker that opens a window) and ``symbols`` or
``groups``. It comes from outside and is checked whole before anything is fitted. Keys that we do
not know are the stimulus program's own and are passed over.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from pipeline.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES = 1 << 20
MAX_DELAY_S = 2.0


class FlickerSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """One key and its flicker; keys of one frequency are told apart by phase."""

    symbol: str
    frequency_hz: float
    phase_rad_over_pi: float = 0.0


class SsvepLayout(msgspec.Struct, frozen=True, kw_only=True, tag="ssvep", tag_field="kind"):
    """Keys that all flicker from the stimulus marker on.

    ``response_delay_s`` is the time from there to the first of the response in the EEG.
    """

    symbols: tuple[FlickerSymbol, ...]
    stimulus: str = "stim:on"
    response_delay_s: float = 0.14

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The symbols in order."""
        return tuple(s.symbol for s in self.symbols)


class P300Layout(msgspec.Struct, frozen=True, kw_only=True, tag="p300", tag_field="kind"):
    """Groups of symbols that flash together; the marker names the group."""

    groups: dict[str, tuple[str, ...]]
    stimulus: str = "stim:<group>"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The symbols in the order in which the groups first name them."""
        return tuple(dict.fromkeys(s for group in self.groups.values() for s in group))


class ImagerySymbol(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol and the label of the imagery that chooses it."""

    symbol: str
    label: str


class ImageryLayout(msgspec.Struct, frozen=True, kw_only=True, tag="imagery", tag_field="kind"):
    """What the person imagines after the cue chooses the symbol."""

    symbols: tuple[ImagerySymbol, ...]
    stimulus: str = "stim:on"

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The symbols in order."""
        return tuple(s.symbol for s in self.symbols)


Layout = SsvepLayout | P300Layout | ImageryLayout


def read_layout(path: Path) -> Layout:
    """Read and check a layout file.

    Raises:
        RecordingError: not readable, not JSON, an unknown kind, or values without sense.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror or error})") from None
    return parse_layout(data, where=str(path))


def parse_layout(data: bytes, *, where: str) -> Layout:
    """Return the layout in ``data``; see :func:`read_layout`."""
    if len(data) > MAX_BYTES:
        raise RecordingError(f"{where}: over {MAX_BYTES} bytes, wanted a layout")
    try:
        layout: Layout = msgspec.json.decode(data, type=Layout)
        _check(layout)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise RecordingError(f"{where}: {error}") from None
    return layout


def _check(layout: Layout) -> None:
    if isinstance(layout, P300Layout):
        _check_groups(layout)
    else:
        _refuse_doubles((s.symbol for s in layout.symbols), "symbol")
    if isinstance(layout, SsvepLayout):
        _check_flicker(layout)
    if isinstance(layout, ImageryLayout):
        _refuse_doubles((s.label for s in layout.symbols), "label")
    vocabulary = layout.vocabulary
    if len(vocabulary) < 2:
        raise ValueError(f"symbols: got {len(vocabulary)}, wanted 2 or more to choose from")
    if "" in vocabulary:
        raise ValueError("symbols: got an empty symbol, wanted one character or an action in <>")
    if not layout.stimulus:
        raise ValueError("stimulus: got '', wanted the marker that opens a window")


def _check_flicker(layout: SsvepLayout) -> None:
    if not 0 <= layout.response_delay_s <= MAX_DELAY_S:
        raise ValueError(
            f"response_delay_s: got {layout.response_delay_s}, wanted 0 to {MAX_DELAY_S:g} s"
        )
    for key in layout.symbols:
        if not (math.isfinite(key.frequency_hz) and key.frequency_hz > 0):
            raise ValueError(
                f"symbols {key.symbol!r}: frequency_hz is {key.frequency_hz}, wanted more than 0"
            )
        if not math.isfinite(key.phase_rad_over_pi):
            raise ValueError(f"symbols {key.symbol!r}: phase_rad_over_pi is not a number")
    seen: dict[tuple[float, float], str] = {}
    for key in layout.symbols:
        flicker = (key.frequency_hz, round(key.phase_rad_over_pi % 2.0, 6))
        other = seen.setdefault(flicker, key.symbol)
        if other != key.symbol:
            raise ValueError(
                f"symbols {other!r} and {key.symbol!r} flicker alike ({flicker[0]:g} Hz, phase"
                f" {flicker[1]:g} pi), wanted another frequency or phase"
            )


def _check_groups(layout: P300Layout) -> None:
    memberships: dict[str, frozenset[str]] = {}
    for symbol in layout.vocabulary:
        memberships[symbol] = frozenset(n for n, group in layout.groups.items() if symbol in group)
    seen: dict[frozenset[str], str] = {}
    for symbol, groups in memberships.items():
        other = seen.setdefault(groups, symbol)
        if other != symbol:
            raise ValueError(f"groups: {other!r} and {symbol!r} always flash together")


def _refuse_doubles(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"symbols: {what} {name!r} is there twice, wanted it once")
        seen.add(name)
