"""What values a decoder's settings may have, whoever sets them: a bundle or a command line."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.spec import CtcDecoder, SelectionDecoder

MOST = 1e6
"""Beyond this no setting means anything."""

Range = tuple[float, float]

RANGES: dict[str, Range] = {
    "beam": (1, 4096),
    "n_best": (1, 1000),
    "lm_weight": (0, MOST),
    "length_bonus": (-MOST, MOST),
    "lm_floor": (-MOST, 0),
    "prune_logp": (-MOST, 0),
    "stability_s": (0, 60),
    "endpoint_s": (0, 3600),
    "abstain_below": (0, inf),
    "threshold": (0, inf),
    "max_stimuli": (1, 1_000_000),
    "max_s": (0, inf),
}
"""Least and greatest value of each number; None, where a setting may be None, is always right."""


def check_decoder(decoder: CtcDecoder | SelectionDecoder) -> None:
    """Refuse numbers out of range, and what is no number.

    Raises:
        ValueError: the first such setting.
    """
    for key in decoder.__struct_fields__:
        value = getattr(decoder, key)
        if key not in RANGES or value is None:
            continue
        least, most = RANGES[key]
        if not least <= value <= most:  # also refuses NaN
            raise ValueError(f"decoder.{key}: got {value:g}, wanted {least:g} to {most:g}")
