"""Whether a backend errs more than the bundle as it is, by more than is allowed; or who can tell.

Both wrote of the same EEG, so what both find hard does not count. A drop is allowed where its upper
bound is, and too large where its lower bound is; in between there are too few texts to tell. What
was never seen among n units may still happen to 3 / n of them (Hanley & Lippman-Hand 1983), and of
a handful of texts a bootstrap says nothing: both keep a short look from passing as a proof. Of a
bundle that errs as much as a constant text does, nothing can be lost, so nothing is proven either.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tools.benchmarking.results import Accuracy
from tools.evaluation.resampling import Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tools.benchmarking.results import Verdict
    from tools.evaluation.edits import Unit

LEAST_TEXTS = 10
NEVER_SEEN = 3.0


class Guard:
    """Judges backends by the errors of each text or trial.

    Args:
        references: what was meant, by row.
        people: who meant it.
        sizes: units of each row.
        unit: what is counted.
        max_drop: what is allowed, as a share of 1.
        constant_error: of always saying the same, None where nobody knows.
    """

    def __init__(
        self,
        references: Sequence[str],
        people: Sequence[str],
        sizes: NDArray[np.int64],
        *,
        unit: Unit,
        max_drop: float,
        constant_error: float | None = None,
    ) -> None:
        drawn = range(len(references)) if unit == "selections" else references
        self._resampling = Resampling(list(drawn), people)
        self._sizes, self._max_drop, self._constant_error = sizes, max_drop, constant_error

    def judge(self, wrong: NDArray[np.int64], own: NDArray[np.int64]) -> Accuracy:
        """Return how a backend with ``wrong`` errors by row compares with the bundle's ``own``."""
        one, other = (self._resampling.table(errors, self._sizes) for errors in (wrong, own))
        error = self._resampling.interval(one)
        more = self._resampling.difference(one, other, level=0.9)
        unseen = 0.0 if wrong is own else NEVER_SEEN / float(self._sizes.sum())
        high, low = max(more.high, more.estimate + unseen), min(more.low, more.estimate)
        is_reading = self._constant_error is None or other.rate < self._constant_error
        verdict: Verdict = self._verdict(low, high) if is_reading else "cannot tell"
        if wrong is own:
            verdict = "within"
        n_wanted = None
        if verdict == "cannot tell" and is_reading:
            n_wanted = self._n_wanted(more.estimate, more.high - more.estimate)
        return Accuracy(
            error=error.estimate,
            error_95=(error.low, error.high),
            more=more.estimate,
            more_low=low,
            more_high=high,
            verdict=verdict,
            n_wanted=n_wanted,
            wrong=tuple(wrong.tolist()),
        )

    def _verdict(self, low: float, high: float) -> Verdict:
        if self._resampling.n_texts < LEAST_TEXTS:
            return "cannot tell"
        if high < self._max_drop:
            return "within"
        return "beyond" if low > self._max_drop else "cannot tell"

    def _n_wanted(self, more: float, half: float) -> int | None:
        """Return units that would tell, if the drop stays what it is; None where it is too large.

        A bound that is ``half`` above it comes closer with the root of the units.
        """
        room, n_units = self._max_drop - more, int(self._sizes.sum())
        if room <= 0.0:
            return None
        few = max(1.0, LEAST_TEXTS / self._resampling.n_texts)
        return math.ceil(max(n_units * (half / room) ** 2, NEVER_SEEN / room, n_units * few))
