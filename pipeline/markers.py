"""The marker vocabulary, and which of it may reach the decoding chain.

Everything after the first colon is the symbol, unstripped; a name in ``<>`` is an action. The
truth (``label:``, ``text:``) never passes :func:`decoding_marker`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

TRIAL_START = "trial:start"
TRIAL_END = "trial:end"
STIMULUS = "stim"
PAUSE = "control:pause"
RESUME = "control:resume"
TRUTH = frozenset({"label", "text"})

Kind = Literal["trial", "stim", "control"]


def split_marker(text: str) -> tuple[str, str]:
    """Return what stands before the first colon, and what after it, unstripped."""
    name, _, symbol = text.partition(":")
    return name, symbol


def decoding_marker(text: str, names: Mapping[str, str]) -> str | None:
    """Return the marker as the chain knows it, or None for truth and for what is not ours.

    Args:
        text: as it arrived.
        names: foreign marker texts to ours.
    """
    ours = names.get(text, text)
    name, _ = split_marker(ours)
    if name == STIMULUS or ours in {TRIAL_START, TRIAL_END, PAUSE, RESUME}:
        return ours
    return None


def is_truth(text: str) -> bool:
    """Say whether a marker carries the truth, which decoding must never see."""
    return split_marker(text)[0] in TRUTH
