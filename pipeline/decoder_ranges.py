"""What values a decoder's settings may have, whoever sets them: a bundle or a command line."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.spec import Decoder, Seq2SeqDecoder, SlidingWindow

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
    "length_alpha": (0, 10),
    "coverage_beta": (0, MOST),
    "min_symbols": (0, 65_536),
    "max_symbols": (1, 65_536),
    "n_agree": (1, 100),
    "stability_s": (0, 60),
    "endpoint_s": (0, 3600),
    "abstain_below": (0, inf),
    "threshold": (0, inf),
    "max_stimuli": (1, 1_000_000),
    "max_s": (0, inf),
}
"""Least and greatest value of each number; None, where a setting may be None, is always right."""


def check_decoder(decoder: Decoder) -> None:
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
    least_n, most_n = getattr(decoder, "min_symbols", 0), getattr(decoder, "max_symbols", None)
    if most_n is not None and least_n > most_n:
        raise ValueError(f"decoder.min_symbols: got {least_n}, wanted at most max_symbols {most_n}")


def check_search(decoder: Seq2SeqDecoder, *, n_rows: int, max_symbols: int) -> None:
    """Refuse a search wider or longer than a step decoder of that many rows and symbols.

    Raises:
        ValueError: the first such setting.
    """
    if decoder.method == "beam" and decoder.beam > n_rows:
        raise ValueError(f"decoder.beam: got {decoder.beam}, wanted at most {n_rows} rows")
    longest = max(decoder.max_symbols or 0, decoder.min_symbols)
    if longest >= max_symbols:
        raise ValueError(
            f"decoder.max_symbols: got {longest}, wanted at most {max_symbols - 1} and the end"
        )


def check_overlap(decoder: Seq2SeqDecoder, window: SlidingWindow, *, rate_hz: float) -> None:
    """Refuse times in which nothing can become final before it leaves the window.

    Raises:
        ValueError: the first such setting.
    """
    longest_s = (window.window_samples - window.hop_samples) / rate_hz
    if decoder.stability_s > longest_s:
        raise ValueError(
            f"decoder.stability_s: got {decoder.stability_s:g}, wanted at most {longest_s:g}, "
            "the window less its hop"
        )
    most = window.window_samples // window.hop_samples
    if decoder.n_agree > most:
        raise ValueError(
            f"decoder.n_agree: got {decoder.n_agree}, wanted at most {most}, the windows that "
            "share a sample"
        )
