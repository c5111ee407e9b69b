"""The causal straight line through a stream's raw time stamps, and how the stamps scatter about it.

Stamps are taken a block at a time (about 1/16 s). A block moves a two-state Kalman filter (time at
an index, period) with fading memory: at first it is least squares through all that came, later
through about the last 30 s. What does not fit pulls no harder than four standard deviations.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

Stamps = NDArray[np.float64]

MEMORY_BLOCKS = 480
"""Blocks after which a block's weight has fallen to 1/e; 30 s."""
MEASURE_FROM, MEASURE_EVERY = 48, 16
"""Blocks before the scatter is measured anew, and between two measurements."""
LAGS = (1, 2, 3)
"""Blocks by which means are compared: as far as a step is held against what was before it."""
WANDER_MOST = 4.0
"""How much wider than between neighbouring blocks the scatter about the line is believed to be."""
RATE_WITHIN = 0.1
"""How far the estimated rate may lie from the nominal one, as a share."""
PRIOR_RATE_ERROR = 0.01
"""Standard deviation of a nominal rate's error, as a share, before a stamp is seen."""
FLOOR = 1e-3
"""Least scatter assumed, in samples, so that gains stay defined on exact stamps."""
LOOSE_SAMPLES = 1000.0
"""Samples over which an unexplained offset may have grown."""
RATE_FLOOR = 1e-6
"""Least relative error of the rate: no clock is steadier."""


class ClockLine:
    """Index to time and back, with the scatter of single stamps and of block means.

    ``sigma`` and ``sigma_block`` are standard deviations in samples.
    """

    def __init__(self, *, rate_hz: float, first: int, warm_up: Stamps, n_block: int) -> None:
        """Lay the first line through ``warm_up``, whole blocks of stamps from index ``first``.

        It starts at the first block; the rest comes from medians over blocks, so that a gap inside
        the warm-up does not bend it.
        """
        nominal_s = 1.0 / rate_hz
        self._least_s, self._most_s = nominal_s / (1 + RATE_WITHIN), nominal_s / (1 - RATE_WITHIN)
        blocks = warm_up.reshape(-1, n_block)
        means = blocks.mean(axis=1)
        slopes = np.diff(means) / n_block
        period_s, error_s = _period(slopes, nominal_s)
        self._n_absorbed = 0
        self._var = self._var_block = 0.0
        self._levels: deque[float] = deque(maxlen=MEMORY_BLOCKS)
        self._variances: deque[float] = deque(maxlen=MEMORY_BLOCKS)
        self.period_s = min(max(period_s, self._least_s), self._most_s)
        inside = blocks - means[:, None] - (np.arange(n_block) - (n_block - 1) / 2) * self.period_s
        levels = (means - np.arange(len(means)) * n_block * self.period_s) / self.period_s
        self._measure(levels, (inside / self.period_s).var(axis=1))
        self._index = first + (n_block - 1) / 2
        self._time_s = self._first_level(means, n_block)
        self._p_level = (self.sigma_block * self.period_s) ** 2 + (FLOOR * self.period_s) ** 2
        self._p_cross = 0.0
        self._p_period = error_s**2

    def _first_level(self, means: Stamps, n_block: int) -> float:
        """Return the time at the first block's centre, from as many blocks as agree with it."""
        levels = means - np.arange(len(means)) * n_block * self.period_s
        level = float(levels[0])
        for n_levels in (4, len(means)):
            wider = float(np.median(levels[:n_levels]))
            if abs(wider - level) <= max(0.25, 3.0 * self.sigma_block) * self.period_s:
                level = wider
        return level

    @property
    def sigma(self) -> float:
        """Standard deviation of a stamp about the line, in samples."""
        return math.sqrt(self._var)

    @property
    def sigma_block(self) -> float:
        """Standard deviation of a block's mean about the line, in samples."""
        return math.sqrt(self._var_block)

    @property
    def threshold(self) -> float:
        """What a single residual must exceed to be suspected, in samples."""
        return max(1.5, 4.0 * self.sigma)

    @property
    def threshold_block(self) -> float:
        """What the mean of a block's residuals must exceed to be suspected, in samples.

        Twice as much at first, when the scatter is known from a second only.
        """
        return max(0.5, 4.0 * self.sigma_block * (1.0 + 16.0 / (self._n_absorbed + 32)))

    @property
    def rate_error(self) -> float:
        """Standard deviation of the estimated rate, as a share."""
        return max(math.sqrt(self._p_period) / self.period_s, RATE_FLOOR)

    def time_at(self, index: float) -> float:
        """Return the line's time at an index, in seconds."""
        return self._time_s + (index - self._index) * self.period_s

    def residuals(self, first: int, stamps: Stamps) -> Stamps:
        """Return how late each stamp is, in samples."""
        expected = np.arange(len(stamps)) * self.period_s
        return (stamps - self.time_at(first) - expected) / self.period_s

    def absorb(self, first: int, stamps: Stamps) -> None:
        """Let a block, whose first stamp has the index ``first``, move the line and the scatter."""
        residuals = self.residuals(first, stamps)
        late = float(residuals.mean())
        self._levels.append(late)
        off = residuals - late
        self._variances.append(float((off * off).sum()) / len(off))  # a third of what var() takes
        self._n_absorbed += 1
        limit = self.threshold_block
        self._correct(first + (len(stamps) - 1) / 2, min(max(late, -limit), limit))
        if self._n_absorbed >= MEASURE_FROM and self._n_absorbed % MEASURE_EVERY == 0:
            levels = np.array(self._levels)
            self._measure(levels, np.array(self._variances))
            about = min(_scatter(levels) ** 2, WANDER_MOST**2 * self._var_block)
            self._var += max(0.0, about - self._var_block)
            self._var_block = max(self._var_block, about)

    def loosen(self, late: float) -> None:
        """Let the line follow readily where stamps lie ``late`` samples off without a step."""
        self._p_level += (late * self.period_s) ** 2
        self._p_period += (late * self.period_s / LOOSE_SAMPLES) ** 2

    def shift(self, n_samples: float) -> None:
        """Move the line later by so many samples' time."""
        self._time_s += n_samples * self.period_s

    def uncertainty(self, n_samples: float, n_blocks: int) -> int:
        """Return how far off, in samples, a step of ``n_samples`` read from ``n_blocks`` may be.

        Three standard deviations of the mean of as many successive blocks, as seen so far (jitter
        of neighbouring stamps is often alike, so it is measured, not divided by a root), and of the
        rate over the length of the gap; 0 where they stay under half a sample.
        """
        spread = self.sigma_block
        if len(self._levels) >= 4 * n_blocks:
            sums = np.concatenate(([0.0], np.cumsum(self._levels)))
            spread = float(((sums[n_blocks:] - sums[:-n_blocks]) / n_blocks).std())
        worst = 3.0 * math.hypot(spread, n_samples * self.rate_error)
        return 0 if worst < 0.5 else math.ceil(worst)

    def _measure(self, levels: Stamps, variances: Stamps) -> None:
        """Take the scatter from block means and variances within blocks, in samples.

        By medians, and block means only against those a little before, so that steps that went
        unnoticed do not raise it: they would hide the next ones.
        """
        lags = [lag for lag in LAGS if lag < len(levels)]
        self._var_block = max(
            (_scatter(levels[n:] - levels[:-n]) ** 2 / 2 for n in lags), default=0
        )
        self._var = float(np.median(variances)) + self._var_block

    def _correct(self, centre: float, late: float) -> None:
        """Kalman step: a block's mean, ``late`` samples behind the line at index ``centre``."""
        ahead = centre - self._index
        level = self._p_level + ahead * (2 * self._p_cross + ahead * self._p_period)
        cross = self._p_cross + ahead * self._p_period
        fading = 1.0 + 1.0 / MEMORY_BLOCKS
        level, cross, period = level * fading, cross * fading, self._p_period * fading
        noise = (max(self.sigma_block, FLOOR) * self.period_s) ** 2
        gain_level, gain_period = level / (level + noise), cross / (level + noise)
        error_s = late * self.period_s
        self._time_s = self.time_at(centre) + gain_level * error_s
        self._index = centre
        self.period_s = min(max(self.period_s + gain_period * error_s, self._least_s), self._most_s)
        self._p_level = (1 - gain_level) * level
        self._p_cross = (1 - gain_level) * cross
        self._p_period = period - gain_period * cross


def _period(slopes: Stamps, nominal_s: float) -> tuple[float, float]:
    """Return the period and its error, in seconds, from slopes between blocks and the nominal."""
    prior = PRIOR_RATE_ERROR * nominal_s
    if len(slopes) < 3:
        return nominal_s, prior
    seen = float(np.median(slopes))
    error = 1.25 * _scatter(slopes) / math.sqrt(len(slopes)) + 1e-5 * nominal_s
    weight = prior**2 / (prior**2 + error**2)
    return nominal_s + weight * (seen - nominal_s), math.sqrt(weight) * error


def _scatter(values: Stamps) -> float:
    """Return the standard deviation by the median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values)))) if len(values) else 0.0
