"""Why a form of the network is refused: it errs too much, or it is too slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.compression.guard import WANTED, is_fast_enough

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.compression.guard import Claim, Loss
    from tools.compression.race import Speed


def refusal(loss: Loss, speeds: Mapping[str, Speed], claim: Claim, *, unit: str) -> str | None:
    """Return why it is refused, None where nothing is against it.

    Args:
        loss: of its errors beside the original's.
        speeds: beside others, by what these are called.
        claim: what it promises.
        unit: of errors, as a plural.
    """
    return loss.verdict_said(unit) if loss.verdict != "held" else slowness(speeds, claim)


def slowness(speeds: Mapping[str, Speed], claim: Claim) -> str | None:
    """Return beside whom it does not hold what it promises; see :func:`refusal`."""
    for other, speed in speeds.items():
        if not is_fast_enough(speed.ratio_p99_high, claim):
            return (
                f"p99 {speed.ratio_p99:.2f} of the time of {other}, at most"
                f" {speed.ratio_p99_high:.2f}: wanted below {WANTED[claim]:.2f}"
            )
    return None
