"""What is refused, and why."""

from __future__ import annotations

import pytest

from tests.unit.tools.compression.optimizing.test_choice import loss, speed
from tools.compression.guard import Claim
from tools.compression.optimizing.verdict import refusal

LOST = "more errors than the 2.00% that is allowed"


@pytest.mark.parametrize(
    ("more", "ratios", "claim", "said"),
    [
        (0.001, (0.5, 0.9), "faster", None),
        (0.03, (0.5, 0.9), "faster", LOST),
        (0.03, (1.5, 0.9), "faster", LOST),  # errors first: nothing makes up for them
        (0.0, (1.2, 0.9), "faster", "p99 1.20 of the time of the original, at most 1.20"),
        # Faster than the original, but the step itself made it slower than the one before had.
        (0.0, (0.5, 1.1), "faster", "p99 1.10 of the time of the step before, at most 1.10"),
        (0.0, (0.5, 1.04), "smaller", None),
        (0.0, (0.5, 1.06), "smaller", "p99 1.06 of the time of the step before, at most 1.06"),
    ],
)
def test_errors_or_time_beside_anybody_refuse(
    more: float, ratios: tuple[float, float], claim: Claim, said: str | None
) -> None:
    speeds = {"the original": speed(ratios[0]), "the step before": speed(ratios[1])}
    found = refusal(loss(more), speeds, claim, unit="characters")
    wanted = {"faster": "1.00", "smaller": "1.05"}[claim]
    assert found == (said if said in (None, LOST) else f"{said}: wanted below {wanted}")
