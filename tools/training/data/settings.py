"""How labelled recordings are read, checked and split: the keys of a recipe's ``[data]`` table."""

from __future__ import annotations

from typing import Literal

import msgspec

from pipeline.spec import Settings

SplitBy = Literal["sentence", "session", "subject"]


class DataSettings(Settings, frozen=True, kw_only=True):
    """How recordings become examples.

    Of BIDS events ``text_column`` holds the text (by default ``trial_type``, else ``value``) in the
    rows where it begins with ``text_prefix``. ``people`` maps file names, with ``*`` and ``?``, to
    ``subject`` or ``subject/session`` where the names and headers do not say who it was.

    What is refused: a span of text longer than ``longest_s``, or with more than ``fastest_hz``
    characters a second, or with more than ``max_missing`` of its values no numbers, or with more
    than ``n_flat`` channels that never change; after ``max_errors`` of such the reading stops.

    ``split_by`` says what training and held-out data never share; ``held_out`` is the latter's
    share, and ``split_seed`` decides which they are. Texts are cut with up to ``margin_s`` of the
    rest around them; what is left of long rests are examples too. In ``noise_chance`` of the
    examples that are trained on noise takes the place of EEG, and nobody is heard.

    Raises:
        ValueError: a number is out of its range; names it.
    """

    text_column: str | None = None
    text_prefix: str = "text:"
    people: dict[str, str] = msgspec.field(default_factory=dict)
    longest_s: float = 600.0
    fastest_hz: float = 40.0
    max_missing: float = 0.01
    n_flat: int = 0
    max_errors: int = 5
    split_by: SplitBy = "sentence"
    held_out: float = 0.1
    split_seed: int = 0
    margin_s: float = 1.0
    noise_chance: float = 0.05

    def __post_init__(self) -> None:
        ranges = {
            "longest_s": (0.0, 3600.0),
            "fastest_hz": (0.0, 1000.0),
            "max_missing": (0.0, 1.0),
            "n_flat": (0, 4096),
            "max_errors": (1, 10_000),
            "held_out": (0.0, 0.9),
            "split_seed": (0, 2**62),
            "margin_s": (0.0, 60.0),
            "noise_chance": (0.0, 0.9),
        }
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name}: got {value}, wanted {least:g} to {most:g}")
