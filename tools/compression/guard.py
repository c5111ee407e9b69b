"""Whether a step may be kept: no more errors than allowed, and not slower. Doubt is a no.

Errors are compared with those of the *original*, text by text: many steps that lose a little each
are a loss. What is allowed must lie above the upper bound of the difference, not above its
estimate; where there are too few texts for that, the answer is that nobody can tell, and how many
it would take (non-inferiority; Piaggio et al. 2012).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtri, stdtrit

from pipeline.spec import Settings

if TYPE_CHECKING:
    from tools.evaluation.resampling import Resampling, Table

LEVEL = 0.95
"""Of the one-sided bound."""

UNSEEN, UNSEEN_BOTH_WAYS = 3.0, 3.7
"""What never happened in n cases may happen 3 times in the next n (rule of three, at 95 %); of a
two-sided bound 3.7 times, -ln 0.025."""

LEAST_TEXTS = 10
"""Of fewer a bootstrap knows nothing."""

FASTER = 1.0
"""Below this the 95 % upper bound of the ratio of 99th percentiles must be."""

NO_SLOWER = 1.05
"""The same for a step that makes the file smaller, and promises no more."""

Claim = Literal["faster", "smaller"]
"""What a step promises."""

WANTED: dict[Claim, float] = {"faster": FASTER, "smaller": NO_SLOWER}

Verdict = Literal["held", "lost", "cannot tell"]


class Loss(Settings, frozen=True, kw_only=True):
    """How much higher an error rate is than the original's, and whether that is allowed.

    ``bound`` and ``low`` are one-sided 95 % bounds, above and below; ``n_needed`` of the units that
    there were ``n_units`` of would be enough to tell, if the difference is what it seems.
    ``constant`` is the error rate of always saying the same, where it is known: who errs as much
    has nothing to lose, and proves nothing.
    """

    more: float
    low: float
    bound: float
    most: float
    n_units: int
    n_texts: int
    verdict: Verdict
    n_needed: int | None = None
    original: float
    constant: float | None

    def said(self, unit: str) -> str:
        """Return it in words, ``unit`` as a plural."""
        figures = f"{self.more:+.2%} errors, at most {self.bound:+.2%}, of {self.n_units} {unit}"
        return f"{figures}: {self.verdict_said(unit)}"

    @property
    def could_hold(self) -> bool:
        """Whether a network that never differs from the original would be held on these texts."""
        is_told = _is_telling(self.n_texts, self.original, self.constant)
        return is_told and UNSEEN / self.n_units < self.most

    def verdict_said(self, unit: str) -> str:
        """Return what that means."""
        if self.verdict == "held":
            return f"below {self.most:.2%}"
        if self.verdict == "lost":
            return f"more errors than the {self.most:.2%} that is allowed"
        if self.constant is not None and self.original >= self.constant:
            return (
                f"cannot tell: the original errs as much as always saying the same"
                f" ({self.original:.1%} and {self.constant:.1%})"
            )
        if self.n_needed is None:
            return f"cannot tell whether below {self.most:.2%}, so far it is not"
        return f"cannot tell whether below {self.most:.2%}, it takes about {self.n_needed} {unit}"


def judge_loss(
    one: Table, original: Table, *, drawn: Resampling, most: float, constant: float | None
) -> Loss:
    """Return whether ``one`` was shown to make less than ``most`` more errors than ``original``.

    Texts are few, so the bootstrap's bound is widened as Student's t is beside the normal; and what
    was not seen to differ may differ in the next text, so a bound is never nearer to the estimate
    than three texts' differences.

    Args:
        one: errors of what is judged.
        original: those of what it must not be worse than, over the same rows.
        drawn: the draws.
        most: absolute difference of error rates.
        constant: the error rate of always saying the same; None where nobody knows.
    """
    apart = drawn.rates(one) - drawn.rates(original)  # (n_draws,)
    n_units, more = int(one.sizes.sum()), one.rate - original.rate
    n_texts = drawn.n_texts
    low, high = (float(q) for q in np.nanquantile(apart, (1.0 - LEVEL, LEVEL)))
    spread = max(0.0, high - more) * _widening(n_texts)
    unseen = unseen_more(one, original, times=UNSEEN)
    bound, low = more + max(spread, unseen), more - max(0.0, more - low) * _widening(n_texts)
    is_telling = _is_telling(n_texts, original.rate, constant)
    verdict: Verdict = "cannot tell"
    if is_telling and bound < most:
        verdict = "held"
    elif is_telling and low > most:
        verdict = "lost"
    room, n_needed = most - more, None
    if verdict == "cannot tell" and room > 0.0 and (constant is None or original.rate < constant):
        times = max((spread / room) ** 2, unseen / room, LEAST_TEXTS / n_texts)
        n_needed = math.ceil(n_units * times)
    return Loss(
        more=more,
        low=low,
        bound=bound,
        most=most,
        n_units=n_units,
        n_texts=n_texts,
        verdict=verdict,
        n_needed=n_needed,
        original=original.rate,
        constant=constant,
    )


def _is_telling(n_texts: int, original: float, constant: float | None) -> bool:
    """Return whether texts tell anything at all, the original's error rate being ``original``."""
    return n_texts >= LEAST_TEXTS and (constant is None or original < constant)


def unseen_more(one: Table, other: Table, *, times: float) -> float:
    """Return how much rates may differ beyond what was seen: by so many texts' differences."""
    return times * _typical(one, other) / float(one.sizes.sum())


def _widening(n_texts: int) -> float:
    """Return Student's quantile over the normal one, and what a bootstrap of few texts is short."""
    n = max(n_texts, 2)
    wide, normal = float(stdtrit(n - 1, LEVEL)), float(ndtri(LEVEL))
    return wide / normal * math.sqrt(n / (n - 1))


def _typical(one: Table, original: Table) -> float:
    """Return by how many errors a text differs that differs at all; one where none does."""
    by_text = np.abs((one.errors - original.errors).sum(axis=1))  # (n_texts,)
    return max(1.0, float(by_text[by_text > 0].mean())) if by_text.any() else 1.0


def is_fast_enough(ratio_p99_high: float, claim: Claim) -> bool:
    """Return whether the bound of a ratio of 99th percentiles is what a step must hold."""
    return ratio_p99_high < WANTED[claim]
