"""Whether a backend errs more than the bundle does, by more than is allowed; or who can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.benchmarking.results import Accuracy
from tools.compression.guard import judge_loss
from tools.evaluation.resampling import Resampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tools.benchmarking.results import Verdict
    from tools.compression.guard import Verdict as Judged
    from tools.evaluation.edits import Unit

VERDICTS: dict[Judged, Verdict] = {
    "held": "within",
    "lost": "beyond",
    "cannot tell": "cannot tell",
}


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
        loss = judge_loss(
            one,
            other,
            drawn=self._resampling,
            most=self._max_drop,
            constant=self._constant_error,
        )
        is_own = wrong is own
        return Accuracy(
            error=error.estimate,
            error_95=(error.low, error.high),
            more=loss.more,
            more_low=loss.low,
            more_high=loss.more if is_own else loss.bound,
            verdict="within" if is_own else VERDICTS[loss.verdict],
            n_wanted=None if is_own else loss.n_needed,
            wrong=tuple(wrong.tolist()),
        )
