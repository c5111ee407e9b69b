"""Benches side by side as lines to read and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tools.benchmarking.comparison import LEAST

if TYPE_CHECKING:
    from tools.benchmarking.comparison import Comparison, Pair, Timing

MARKED = {"within noise": "", "faster": "  FASTER", "slower": "  SLOWER"}
HEADER = f"{'':44}{'p50 ms':>17}{'of its time':>22}{'':8}{'p99 ms':>19}{'of its time':>22}"


def lines(found: Comparison, *, earlier: str, later: str) -> list[str]:
    """Return the comparison as a table, with what must be read first above it."""
    ratio, low, high = found.yardstick
    told = [
        f"{earlier}, then {later}",
        *(f"  {remark}" for remark in found.remarks),
        f"  the yardstick, always the same work, took {ratio:.2f} [{low:.2f}, {high:.2f}] of its"
        f" time: {_machine(low, high)}",
        "",
    ]
    if found.pairs:
        told += [HEADER, *(_pair(pair) for pair in found.pairs)]
        told += ["", *(line for pair in found.pairs for line in _errors(pair)), *_counted(found)]
    else:
        told.append("no backend of any bundle was timed in both")
    told += [f"only in {earlier}: {row}" for row in found.only_earlier]
    return [*told, *(f"only in {later}: {row}" for row in found.only_later)]


def _machine(low: float, high: float) -> str:
    if high < 1.0 - LEAST:
        return "the machine itself was faster"
    return (
        "the machine itself was slower"
        if low > 1.0 + LEAST
        else "the machine was as fast as before"
    )


def _pair(pair: Pair) -> str:
    name = f"{pair.bundle} {pair.backend}"
    return f"{name:44}" + "".join(_timing(timing) for timing in pair.timings)


def _timing(one: Timing) -> str:
    times = f"{one.earlier_ms:.3f} > {one.later_ms:.3f}"
    between = f"{one.ratio:.2f} [{one.low:.2f}, {one.high:.2f}]"
    mark = MARKED.get(one.change, f"  {one.change}")
    return f"{times:>17}{between:>22}{mark:11}"


def _errors(pair: Pair) -> list[str]:
    one = pair.errors
    if one is None or one.change == "within noise":
        return []
    return [
        f"{pair.bundle} {pair.backend} {one.change}: {one.earlier:.2%}, then {one.later:.2%}"
        f" ({one.more:+.2%} [{one.low:+.2%}, {one.high:+.2%}])"
    ]


def _counted(found: Comparison) -> list[str]:
    changes = [timing.change for pair in found.pairs for timing in pair.timings]
    n_beyond = sum(change in {"faster", "slower"} for change in changes)
    lines = [
        f"{n_beyond} of {len(changes)} times differ beyond noise: by more than {LEAST:.0%}, by"
        " their blocks, and in each run's yardsticks too"
    ]
    if "disturbed" in changes:
        lines.append(
            "disturbed: other processes held up even the yardstick, so that a 99th percentile is"
            " theirs"
        )
    return lines


def told(found: Comparison, *, earlier: str, later: str) -> dict[str, Any]:
    """Return the comparison as JSON; its keys are a contract."""
    pairs = []
    for pair in found.pairs:
        errors = None if pair.errors is None else asdict(pair.errors)
        if errors is not None and pair.errors is not None:
            errors["change"] = pair.errors.change
        pairs.append(
            {
                "bundle": pair.bundle,
                "backend": pair.backend,
                "times": [asdict(timing) for timing in pair.timings],
                "errors": errors,
            }
        )
    return {
        "earlier": earlier,
        "later": later,
        "remarks": list(found.remarks),
        "yardstick": list(found.yardstick),
        "pairs": pairs,
        "only_earlier": list(found.only_earlier),
        "only_later": list(found.only_later),
    }
