"""Where each sample lies in time, and which samples are missing, from raw stamps alone.

Stamps are taken in blocks that begin at multiples of ``n_block`` samples, so how they are cut into
chunks cannot matter. A calm block moves the line (:class:`~pipeline.clock_line.ClockLine`). A block
that stands off opens a suspicion, and the line waits until it is clear which it is:

- lost samples: the residual rises at once and *stays* up: that many samples, rounded, are missing;
- a stall: it rises and falls again, as the late samples arrive in a burst: nothing is missing;
- a jump of the clock: it falls at once and stays down (or rises by more than an hour).

It must stay for longer than any run of stamps that came from one push: liblsl deduces those by the
nominal rate, so inside a run a late push looks like a loss.
"""

from __future__ import annotations

import numpy as np

from pipeline.clock_line import ClockLine, Stamps
from pipeline.line_history import LineHistory
from pipeline.values import Event, Figure

BLOCK_S = 1 / 16
WARM_UP_BLOCKS = 48
FITS_AT = frozenset((1, 2, 3, 4, 6, 8, 12, 16, 24, 32, WARM_UP_BLOCKS))
"""Blocks after which a warm-up's line is laid anew, through all of them."""
KEEP_BLOCKS = 2
STAY_BLOCKS = 4
JITTERY = 0.1
"""Scatter, in samples, above which a step must stay for longer to be believed."""
JITTERY_STAY_S = 0.5
LONGEST_STAY_S = 2.0
GIVE_UP_S = 10.0
"""A suspicion unclear for so long is settled by where the stamps are then."""
MOST_STEPS = 64
"""Steps taken at once; stamps that make no sense at all must not hold us up."""
LONGEST_PUSH_S = 2.0
JUMP_S = 3600.0
"""A step forward by more than this is a jump of the clock, not a loss."""
LATEST_S = 1e12
"""A stamp beyond this is none."""
GRID_WITHIN = 0.1
"""Samples by which intervals of stamps on a grid may differ from whole periods."""
REGULAR_WITHIN = 2e-3
"""Share of a period by which an interval inside one push may differ from the period."""


class Timeline:
    """Index to time, time to index, and the events ``gap`` and ``clock_jump``.

    Args:
        rate_hz: the nominal rate.
        remember_s: for how long markers may come late.
    """

    def __init__(self, rate_hz: float, *, remember_s: float = 1000.0) -> None:
        self.rate_hz = rate_hz
        self.n_block = max(4, round(rate_hz * BLOCK_S))
        self.n_received = 0
        self.n_lost = 0
        self.n_bad_stamps = 0
        self._history = LineHistory(remember_s * rate_hz / self.n_block)
        self._runs = _Runs(rate_hz)
        self._line: ClockLine | None = None
        self._warm = False
        self._first = 0
        self._waiting = np.empty(0)  # stamps from index _first on, not yet in the line
        self._fresh: list[Stamps] = []  # stamps after those, not yet a block
        self._n_fresh = 0
        self._n_seen = 0  # of _waiting, in whole blocks
        self._step: tuple[int, float] | None = None  # index and size of what is suspected

    @property
    def effective_rate_hz(self) -> float:
        """The estimated rate; the nominal one until there is a line."""
        return self.rate_hz if self._line is None else 1.0 / self._line.period_s

    @property
    def jitter_ms(self) -> float:
        """Standard deviation of single stamps about the line."""
        return 0.0 if self._line is None else self._line.sigma * self._line.period_s * 1e3

    def push(self, stamps: Stamps) -> list[Event]:
        """Take the raw stamps, in seconds, of the next samples; return what became clear by them.

        An event's ``known_at`` is the end of the block that made it clear.
        """
        if len(stamps) == 0:
            return []
        self.n_received += len(stamps)
        self._fresh.append(stamps.copy())
        self._n_fresh += len(stamps)
        n_unseen = len(self._waiting) - self._n_seen + self._n_fresh
        if self._line is not None and n_unseen < self.n_block:
            return []
        self._waiting = np.concatenate((self._waiting, self._mended(np.concatenate(self._fresh))))
        self._fresh, self._n_fresh = [], 0
        events: list[Event] = []
        while len(self._waiting) - self._n_seen >= self.n_block:
            events += self._hear_block()
        return events

    def finish(self) -> list[Event]:
        """Settle what is still open, where no more stamps will come for now."""
        if self._line is None or not self._warm or self._step is None:
            return []
        return self._settle(self._line, known_at=self.n_received, hurried=True)

    def restart(self) -> None:
        """Begin a new line at the next stamp, whose clock need not be the old one's.

        Indices go on; the old line keeps answering for the times of its own indices.
        """
        self._history.begin_epoch()
        self._runs = _Runs(self.rate_hz)
        self._line, self._warm, self._step = None, False, None
        self._first, self._waiting, self._n_seen = self.n_received, np.empty(0), 0
        self._fresh, self._n_fresh = [], 0

    def index_at(self, time_s: float) -> int:
        """Return the index nearest on the line; it may lie outside what was received.

        Raises:
            IndexError: no stamp was received yet, or none since :meth:`restart`.
        """
        if self._line is None:
            return self._first + round((time_s - float(self._waiting[0])) * self.rate_hz)
        index = self._history.index_at(time_s)
        if self._step is None:
            return index
        onset, size = self._step  # what may be a gap or a jump, but is not yet in the history
        if index - size >= onset:
            return round(index - size)
        if index < onset:
            return index
        return onset - 1 if index - onset + 1 <= (size + 1) / 2 else onset

    def time_at(self, index: int) -> float:
        """Return the time of an index on the line, in seconds of the stream's own clock.

        Raises:
            IndexError: no stamp was received yet.
        """
        if self._line is None and index >= self._first:
            return float(self._waiting[0]) + (index - self._first) / self.rate_hz
        return self._history.time_at(index)

    def _mended(self, stamps: Stamps) -> Stamps:
        """Put a stamp that is no number where the one before it leads one to expect it."""
        bad = ~(np.abs(stamps) < LATEST_S)
        if not bad.any():
            return stamps
        self.n_bad_stamps += int(bad.sum())
        mended = stamps.copy()
        before = float(self._waiting[-1]) if len(self._waiting) else 0.0
        for position in np.flatnonzero(bad):
            before = float(mended[position - 1]) if position else before
            mended[position] = before + 1.0 / self.rate_hz
        return mended

    def _hear_block(self) -> list[Event]:
        self._n_seen += self.n_block
        known_at = self._first + self._n_seen
        period_s = 1.0 / self.effective_rate_hz
        self._runs.hear(self._waiting[: self._n_seen][-self.n_block - 1 :], period_s)
        if self._warm and self._line is not None:
            return self._look(self._line, known_at)
        if self._n_seen // self.n_block not in FITS_AT:
            return []
        seen = _without_gaps(self._waiting[: self._n_seen])
        self._line = line = ClockLine(
            rate_hz=self.rate_hz, first=self._first, warm_up=seen, n_block=self.n_block
        )
        self._history.forget_from(self._first)
        self._history.add(self._first, line.time_at(self._first), line.period_s)
        if self._n_seen < WARM_UP_BLOCKS * self.n_block:
            return []
        self._warm = True
        events: list[Event] = []
        self._n_seen = 0
        while self._first + self._n_seen < known_at:  # now the warm-up itself, block by block
            self._n_seen += self.n_block
            events += self._look(line, known_at)
        return events

    def _look(self, line: ClockLine, known_at: int) -> list[Event]:
        """Judge the newest block; those before it wait too, for a step may begin in them."""
        if self._step is None:
            start = self._n_seen - self.n_block
            block = line.residuals(self._first + start, self._waiting[start : self._n_seen])
            if abs(block.mean()) <= line.threshold_block and np.abs(block).max() <= line.threshold:
                self._absorb(line)
                return []
        return self._settle(line, known_at=known_at, hurried=False)

    def _settle(self, line: ClockLine, *, known_at: int, hurried: bool) -> list[Event]:
        """Decide on what stands off, step after step, as far as it is clear."""
        events: list[Event] = []
        for _ in range(MOST_STEPS):
            residuals = line.residuals(self._first, self._waiting[: self._n_seen])
            sign = 1.0 if residuals[-self.n_block :].mean() > 0 else -1.0
            step = _Step(sign * residuals, line, self.n_block)
            if step.level <= line.threshold_block:  # a stall that is over, or a stray stamp
                self._step = None
                self._absorb(line)
                return events
            n_stay = 2 * self.n_block if hurried else self._n_stay(line, step.level)
            give_up = self._n_seen - step.onset > GIVE_UP_S * self.rate_hz
            stays = give_up or self._n_seen - step.calm_from >= n_stay
            if stays and not step.is_abrupt:  # the clocks drift apart
                self._step = None
                line.loosen(sign * step.level)
                self._absorb(line)
                return events
            if not stays:
                self._step = (self._first + step.onset, sign * step.level)
                return events
            events += self._take(line, step, sign=sign, known_at=known_at, n_stay=n_stay)
        return events

    def _n_stay(self, line: ClockLine, level: float) -> float:
        """Return for how many samples a step must stay to be believed."""
        n_stay = max(STAY_BLOCKS * self.n_block, 2.5 * self._runs.longest)
        if line.sigma < JITTERY:
            return n_stay
        least = JITTERY_STAY_S * self.rate_hz
        return max(n_stay, least, min(1.25 * level, LONGEST_STAY_S * self.rate_hz))

    def _take(
        self, line: ClockLine, step: _Step, *, sign: float, known_at: int, n_stay: float
    ) -> list[Event]:
        """Move the line over a step that is clear, and tell it."""
        onset = self._first + step.onset
        forward = sign > 0 and step.level * line.period_s <= JUMP_S
        size = float(max(1, round(step.level))) if forward else sign * step.level
        for start in range(0, step.onset, self.n_block):
            self._remember(line, self._first + start)
        line.shift(size)
        self._waiting[: step.onset] += size * line.period_s  # they stay on the line
        if not forward:
            self._history.begin_epoch()
        self._history.add(onset, line.time_at(onset), line.period_s)
        jitter_ms = round(self.jitter_ms, 3)
        if not forward:
            if step.level <= line.threshold:
                return []
            jump_s = round(size * line.period_s, 6)
            figures: dict[str, Figure] = {"jump_s": jump_s, "jitter_ms": jitter_ms}
            return [Event("clock_jump", onset, known_at, figures)]
        self.n_lost += int(size)
        n_blocks = max(1, round(min(n_stay, step.n_level) / self.n_block))
        lost: dict[str, Figure] = {
            "n_samples": int(size),
            "uncertainty_samples": line.uncertainty(size, n_blocks),
            "jitter_ms": jitter_ms,
        }
        return [Event("gap", onset, known_at, lost)]

    def _absorb(self, line: ClockLine) -> None:
        """Give the line all blocks but the newest few."""
        n_absorbed = max(0, self._n_seen - KEEP_BLOCKS * self.n_block)
        for start in range(0, n_absorbed, self.n_block):
            line.absorb(self._first + start, self._waiting[start : start + self.n_block])
            self._remember(line, self._first + start)
        self._waiting = self._waiting[n_absorbed:]
        self._first += n_absorbed
        self._n_seen -= n_absorbed

    def _remember(self, line: ClockLine, index: int) -> None:
        self._history.add(index, line.time_at(index), line.period_s)


def _without_gaps(stamps: Stamps) -> Stamps:
    """Close the gaps of stamps that all lie on a grid, as a device's own clock gives them."""
    intervals = np.diff(stamps)
    period_s = float(np.median(intervals))
    if not period_s > 0.0:
        return stamps
    places = np.maximum(np.round(intervals / period_s), 1.0)
    if np.abs(intervals / period_s - places).max() > GRID_WITHIN:
        return stamps
    closed = stamps.copy()
    closed[1:] -= np.cumsum(places - 1.0) * period_s
    return closed


class _Step:
    """The one step up that explains residuals best: where it begins, and how high it stays.

    ``stays_from`` is the position from which nothing falls below; ``level`` the height from there
    to the next step up, read from ``n_level`` samples; ``calm_from`` the position from which
    nothing falls at all.
    """

    def __init__(self, residuals: Stamps, line: ClockLine, n_block: int) -> None:
        limit = line.threshold_block
        self.onset = _onset(residuals)
        before = residuals[max(0, self.onset - n_block) : self.onset]
        while len(before) and before.mean() > limit:  # there is a step before this one
            self.onset = _onset(residuals[: self.onset])
            before = residuals[max(0, self.onset - n_block) : self.onset]
        after = residuals[self.onset :]
        self.stays_from = self.calm_from = self.onset
        base = plateau = float(after[:n_block].mean())
        for start in range(n_block, len(after) - n_block + 1, n_block):
            height = float(after[start : start + n_block].mean())
            if height < plateau - limit:
                self.calm_from, plateau = self.onset + start, height
            plateau = max(plateau, height - limit)
            if height < base - limit:
                self.stays_from, base = self.onset + start, height
        staying = residuals[self.stays_from :]
        self.n_level = _first_level(staying, limit, 1 if line.sigma < JITTERY else n_block)
        self.level = float(staying[: self.n_level].mean())
        soon = max(
            float(after[start : start + n_block].mean())
            for start in (0, min(n_block, len(after) - 1))
        )
        self.is_abrupt = len(before) > 0 and soon - float(before.mean()) > 0.5 * self.level


def _onset(residuals: Stamps) -> int:
    """Return where a step from zero most likely begins (least squares)."""
    sums = np.cumsum(residuals[::-1])[::-1]
    gain = np.where(sums > 0, sums * sums / np.arange(len(sums), 0, -1), 0.0)
    return int(np.argmax(gain))


def _first_level(values: Stamps, limit: float, least: int) -> int:
    """Return how many values come before a further step up by more than ``limit``."""
    n_values = len(values)
    if n_values < 2 * least or n_values < 2:
        return n_values
    counts = np.arange(1, n_values)
    sums = np.cumsum(values)
    left, right = sums[:-1] / counts, (sums[-1] - sums[:-1]) / (n_values - counts)
    gain = (right - left) ** 2 * counts * (n_values - counts)
    split = int(np.argmax(gain))
    if right[split] - left[split] <= limit or not least <= split + 1 <= n_values - least:
        return n_values
    return _first_level(values[: split + 1], limit, least)


class _Runs:
    """How long the runs of stamps are that came from one push: inside, intervals are all alike."""

    def __init__(self, rate_hz: float) -> None:
        self.longest = 0.0
        self._nominal_s = 1.0 / rate_hz
        self._n_most = LONGEST_PUSH_S * rate_hz
        self._n_run = 0

    def hear(self, stamps: Stamps, period_s: float) -> None:
        """Hear a block of stamps, led by the last stamp before it."""
        intervals = stamps[1:] - stamps[:-1]
        places = np.maximum(np.round(intervals / period_s), 1.0)  # lost samples end no push
        off = np.minimum(
            np.abs(intervals - places * self._nominal_s), np.abs(intervals - places * period_s)
        )
        breaks = np.flatnonzero(off > REGULAR_WITHIN * self._nominal_s)
        self.longest *= 1.0 - 1.0 / 480
        if len(breaks) == 0:
            self._n_run += len(intervals)
            return
        runs = np.diff(breaks, prepend=-self._n_run - 1)
        short = runs[runs <= self._n_most]
        if len(short):
            self.longest = max(self.longest, float(short.max()))
        self._n_run = len(intervals) - 1 - int(breaks[-1])
