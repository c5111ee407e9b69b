"""An earlier bench against a later one: which rows became faster or slower, beyond noise.

Two runs differ by more than their own blocks show. Blocks are drawn whole, of both runs, and bounds
widened for as many times as are compared (Bonferroni); but a machine is not as fast at one hour as
at the next, so a time must differ in yardsticks too, the same work in every run; and a process does
not find its memory as the last one did, which made up to 3 % between runs of the same bundle, so
less than :data:`LEAST` is never called a change. Where other processes hold up even the yardstick,
a 99th percentile is theirs, and nothing is said of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.benchmarking.racing import is_disturbed
from tools.evaluation.resampling import Resampling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tools.benchmarking.results import Benched, Blocks, Result, Row

LEVEL = 0.95
N_DRAWS = 10_000
LEAST = 0.05
LEAST_BLOCKS = 5
"""Fewer cannot tell noise from anything: a bootstrap of them is far too sure."""

Change = Literal["faster", "slower", "within noise", "too few blocks", "disturbed"]
Figure = Literal["p50", "p99"]
FIGURES: tuple[Figure, ...] = ("p50", "p99")

SAME = ("cpu", "cores", "memory_gib", "kernel", "governor", "python")
"""What of a machine is told where it is another; its libraries are told by name."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How many times as long the later run took, between ``low`` and ``high``; medians of blocks.

    ``in_yardsticks`` is the same with each run measured by its own yardstick.
    """

    figure: Figure
    earlier_ms: float
    later_ms: float
    ratio: float
    low: float
    high: float
    in_yardsticks: tuple[float, float, float]
    change: Change


@dataclass(frozen=True, slots=True)
class Erring:
    """How many more errors the later run made on the same texts; 95 % over texts."""

    earlier: float
    later: float
    more: float
    low: float
    high: float

    @property
    def change(self) -> str:
        """What is beyond noise."""
        if self.low > 0.0:
            return "errs more"
        return "errs less" if self.high < 0.0 else "within noise"


@dataclass(frozen=True, slots=True)
class Pair:
    """One backend of one bundle in both runs; ``errors`` where both heard the same."""

    bundle: str
    backend: str
    timings: tuple[Timing, ...]
    errors: Erring | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``remarks`` must be read first: other machines, libraries, bundles, data.

    ``yardstick`` is how many times as long the fixed work took later, with bounds.
    """

    remarks: tuple[str, ...]
    yardstick: tuple[float, float, float]
    pairs: tuple[Pair, ...]
    only_earlier: tuple[str, ...]
    only_later: tuple[str, ...]


def compare(earlier: Result, later: Result, *, seed: int = 0) -> Comparison:
    """Return how a later run of a bench differs from an earlier one."""
    bundles = _matched(earlier, later)
    before = {(row.bundle, row.backend): row for row in earlier.rows}
    rows = []
    for row in later.rows:
        name = bundles.get(row.bundle)
        if name is not None and (name, row.backend) in before:
            rows.append((before[name, row.backend], row))
    timed = [(one, other) for one, other in rows if one.blocks and other.blocks]
    level = 1.0 - (1.0 - LEVEL) / max(1, len(timed) * len(FIGURES))
    rng = np.random.default_rng(seed)
    pairs = []
    for one, other in timed:
        timings = tuple(
            _timing(figure, one, other, earlier, later, level=level, rng=rng) for figure in FIGURES
        )
        judged = (earlier.bundle(one.bundle), later.bundle(other.bundle))
        pairs.append(Pair(other.bundle, other.backend, timings, _errors(one, other, *judged)))
    yardstick = _ratio(earlier.yardstick.p50, later.yardstick.p50, level=LEVEL, rng=rng)
    both = {(one.bundle, one.backend) for one, _ in timed}
    both_later = {(other.bundle, other.backend) for _, other in timed}
    return Comparison(
        remarks=tuple(_remarks(earlier, later, bundles)),
        yardstick=yardstick,
        pairs=tuple(pairs),
        only_earlier=_only(earlier, both),
        only_later=_only(later, both_later),
    )


def _matched(earlier: Result, later: Result) -> dict[str, str]:
    """Return the earlier name of each later bundle: of that name, or else of that digest."""
    names = {bundle.name for bundle in earlier.bundles}
    digests = {bundle.sha256: bundle.name for bundle in earlier.bundles}
    found = {}
    for bundle in later.bundles:
        if bundle.name in names:
            found[bundle.name] = bundle.name
        elif bundle.sha256 in digests:
            found[bundle.name] = digests[bundle.sha256]
    return found


def _only(result: Result, both: set[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(
        f"{row.bundle} {row.backend}"
        for row in result.rows
        if row.call_ms is not None and (row.bundle, row.backend) not in both
    )


def _timing(
    figure: Figure,
    one: Row,
    other: Row,
    earlier: Result,
    later: Result,
    *,
    level: float,
    rng: np.random.Generator,
) -> Timing:
    before, after = _figures(one.blocks, figure), _figures(other.blocks, figure)
    plain = _ratio(before, after, level=level, rng=rng)
    yardsticks = _figures(earlier.yardstick, figure), _figures(later.yardstick, figure)
    measured = _ratio(before, after, by=yardsticks, level=level, rng=rng)
    change: Change = "within noise"
    if min(len(before), len(after)) < LEAST_BLOCKS:
        change = "too few blocks"
    elif figure == "p99" and any(is_disturbed(run.yardstick) for run in (earlier, later)):
        change = "disturbed"
    elif max(plain[2], measured[2]) < 1.0 - LEAST:
        change = "faster"
    elif min(plain[1], measured[1]) > 1.0 + LEAST:
        change = "slower"
    middle = [float(np.median(figures)) for figures in (before, after)]
    return Timing(figure, middle[0], middle[1], *plain, measured, change)


def _figures(blocks: Blocks | None, figure: Figure) -> Sequence[float]:
    if blocks is None:
        raise ValueError("blocks: must be those of a row that was timed")
    return blocks.p50 if figure == "p50" else blocks.p99


def _ratio(
    before: Sequence[float],
    after: Sequence[float],
    *,
    level: float,
    rng: np.random.Generator,
    by: tuple[Sequence[float], Sequence[float]] | None = None,
) -> tuple[float, float, float]:
    """Return the ratio of the medians over blocks, later to earlier, with two-sided bounds.

    ``by`` are figures of the yardstick, block by block, that each is divided by.
    """
    runs = [np.array(before), np.array(after)]
    if by is not None:
        runs = [run / np.array(own) for run, own in zip(runs, by, strict=True)]
    estimate = float(np.median(runs[1]) / np.median(runs[0]))
    drawn = _medians(runs[1], rng) / _medians(runs[0], rng)
    low, high = np.quantile(drawn, ((1.0 - level) / 2, (1.0 + level) / 2))
    return estimate, float(low), float(high)


def _medians(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return medians of drawn blocks: one that another process disturbed does not count."""
    n_values = len(values)
    drawn = np.sort(values[rng.integers(0, n_values, (N_DRAWS, n_values))], axis=1)
    middle: NDArray[np.float64] = drawn[:, (n_values - 1) // 2 : n_values // 2 + 1].mean(axis=1)
    return middle  # a sort of short rows is quicker than the partition that np.median makes


def _errors(one: Row, other: Row, before: Benched, after: Benched) -> Erring | None:
    """Return how errors differ, paired by text, where both runs heard the same."""
    if one.accuracy is None or other.accuracy is None or not _is_same_data(before, after):
        return None
    sizes = np.array(after.unit_sizes)
    resampling = Resampling(list(range(len(sizes))), [""] * len(sizes))
    tables = [
        resampling.table(np.array(row.accuracy.wrong), sizes)
        for row in (one, other)
        if row.accuracy is not None
    ]
    more = resampling.difference(tables[1], tables[0])
    rates = (tables[0].rate, tables[1].rate)
    return Erring(*rates, more.estimate, more.low, more.high)


def _is_same_data(one: Benched, other: Benched) -> bool:
    return (one.data, one.unit, one.unit_sizes, sorted(one.recordings.values())) == (
        other.data,
        other.unit,
        other.unit_sizes,
        sorted(other.recordings.values()),
    )


def _remarks(earlier: Result, later: Result, bundles: Mapping[str, str]) -> list[str]:
    """Return what differs that is none of the backends' doing."""
    found = [
        f"another machine: {name} {earlier.machine.get(name)!r}, then {later.machine.get(name)!r}"
        for name in SAME
        if earlier.machine.get(name) != later.machine.get(name)
    ]
    libraries = [result.machine.get("libraries") or {} for result in (earlier, later)]
    for name in sorted({*libraries[0], *libraries[1]}):
        versions = [library.get(name, "none") for library in libraries]
        if versions[0] != versions[1]:
            found.append(f"another library: {name} {versions[0]}, then {versions[1]}")
    for name, former in bundles.items():
        one, other = earlier.bundle(former), later.bundle(name)
        if one.sha256 != other.sha256:
            found.append(f"another bundle: {name} {one.sha256[:12]}, then {other.sha256[:12]}")
        if not _is_same_data(one, other):
            found.append(f"{name}: heard other EEG, so its errors are not compared")
    return found
