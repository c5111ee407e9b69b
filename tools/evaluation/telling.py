"""An evaluation as lines to read: the verdict with its figures, and what they were got from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.evaluation.report.report import SIMULATED
from tools.evaluation.summary import lines

if TYPE_CHECKING:
    from tools.evaluation.evaluate import Evaluated

DECODINGS = {"bundle": "as the bundle says", "greedy": "greedy", "without_lm": "without its model"}


def told_lines(found: Evaluated) -> list[str]:
    """Return everything, the verdict last but for the bundle it is of."""
    told = found.summary
    return [
        *((f"SIMULATED EEG. {SIMULATED}",) if told["simulated"] else ()),
        *_scores("recording", {one["name"]: one for one in told["recordings"]}),
        *_scores("decoding", {DECODINGS[n]: one for n, one in told["decodings"].items() if one}),
        "",
        *_pace(told),
        *_outside(told),
        "",
        *lines(found.judgement, how=told["normalise"], n_dropped=told["rows_left_out"]),
        *_bundle(told["bundle"]),
    ]


def _scores(title: str, scores: dict[str, dict[str, Any]]) -> list[str]:
    rows = [f"{title:34}{'error':>8}{'95 % interval':>20}{'rows':>7}"]
    for name, one in scores.items():
        ends = one["interval"]
        between = "" if ends is None else f"[{ends[0]:.4f}, {ends[1]:.4f}]"
        rows.append(f"{name[:33]:34}{one['estimate']:8.4f}{between:>20}{one['rows']:7d}")
    return rows


def _pace(told: dict[str, Any]) -> list[str]:
    found = []
    symbols, itr = told["symbols"], told["itr"]
    if symbols is not None and itr is not None:
        found.append(
            f"{symbols['correct']} of {symbols['total']} selections right (chance"
            f" {1 - told['chance']:.1%}), {symbols['abstained']} abstained"
        )
        if itr["bits_per_min"] is not None:
            low, high = itr["interval"]
            found.append(
                f"{itr['bits_per_min']:.1f} bit/min [{low:.1f}, {high:.1f}]: {itr['counts']}"
            )
    if told["characters_per_min"] is not None:
        found.append(
            f"{told['characters_per_min']:.1f} characters a minute,"
            f" {told['right_characters_per_min']:.1f} of them right"
        )
    total = told["latency_ms"].get("total")
    if total is not None:
        stages = ", ".join(
            f"{name} {one['p50']:.2f}"
            for name, one in told["latency_ms"].items()
            if name != "total"
        )
        found.append(
            f"a window takes {total['p50']:.2f} ms (p50), {total['p99']:.2f} ms (p99): {stages};"
            f" {told['realtime_factor']:.0f} times real time"
        )
    batched = told["throughput"].get("batched")
    more = f"; {batched['realtime_factor']:.0f} times real time" if batched is not None else ""
    found.append(f"batching of windows: {told['throughput']['batching']}{more}")
    return found


def _outside(told: dict[str, Any]) -> list[str]:
    found = []
    if told["characters_outside_texts"]:
        found.append(
            f"{told['characters_outside_texts']} characters were written outside all texts: they"
            " count as insertions of the nearest"
        )
    if told["characters_left_out"]:
        found.append(
            f"{told['characters_left_out']} characters left out, where nobody can tell what was"
            " meant"
        )
    return found


def _bundle(bundle: dict[str, Any]) -> list[str]:
    if bundle["written"] is None:
        return [f"the bundle stays as it is: {bundle['kept_because']}"]
    return [
        f"the verdict is in the bundle, which is now {bundle['written'][:12]} (it was"
        f" {bundle['sha256'][:12]}; whoever pins it must pin the new digest)"
    ]
