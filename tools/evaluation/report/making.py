"""Sections on speed, and on what a report was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.evaluation.report.parts import Facts, Line, Part, Section, Strip, Strips

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tools.evaluation.report.data import Folder, TransferRate

BUDGET_MS = 100.0
MOST_FACTS = 200
UNITS = frozenset({"s", "ms", "hz", "uv"})


def speed(folder: Folder) -> Section | None:
    """Return how fast one writes with it, and where the milliseconds go."""
    found = folder.evaluation
    items = []
    if found.itr is not None and found.itr.bits_per_min is not None:
        items += _transfer(found.itr)
    if found.characters_per_min is not None:
        right = found.right_characters_per_min
        beside = "" if right is None else f", of which {right:.1f} right"
        items.append(("characters a minute", f"{found.characters_per_min:.1f}{beside}"))
    if found.realtime_factor is not None:
        digits = ".0f" if found.realtime_factor >= 100 else ".1f"
        items.append(("decoding", f"{found.realtime_factor:{digits}} times real time"))
    told = {key: one for key, one in found.throughput.items() if key != "realtime_factor"}
    items += facts(told)
    parts: list[Part] = [Facts(items)] if items else []
    if found.latency_ms:
        parts.append(_latency(folder))
    if not parts:
        return None
    return Section(
        "Speed",
        "How fast text comes, and how long each stage of a decode takes: the dot is the median, the"
        " bar reaches to the 99th percentile.",
        parts,
    )


def _transfer(itr: TransferRate) -> list[tuple[str, str]]:
    low, high = itr.interval
    between = "" if low is None or high is None else f" [{low:.1f}, {high:.1f}]"
    told = f"{itr.bits_per_min:.1f}{between} bits a minute"
    if itr.symbols is not None and itr.seconds_per_selection is not None:
        told += f", {itr.symbols} symbols, {itr.seconds_per_selection:.2f} s a selection"
    return [("information transfer rate", f"{told} ({itr.counts})" if itr.counts else told)]


def _latency(folder: Folder) -> Strips:
    def cell(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    spreads = folder.evaluation.latency_ms
    most = max(one.p99 or one.p50 for one in spreads.values())
    return Strips(
        caption="Latency by stage, in milliseconds",
        axis="median in ms",
        first="stage",
        groups=(
            (
                "",
                [
                    Strip(
                        name,
                        one.p50,
                        (one.p50, one.p99) if one.p99 is not None else None,
                        kind="eeg" if name == "total" else "other",
                        cells=(cell(one.p95), cell(one.p99), cell(one.max)),
                    )
                    for name, one in spreads.items()
                ],
            ),
        ),
        columns=("p95", "p99", "longest"),
        lines=(Line(BUDGET_MS, "budget"),) if most > BUDGET_MS / 4 else (),
        digits=2,
        is_spread=True,
    )


def made_of(folder: Folder) -> Section | None:
    """Return what the report was made of."""
    found = folder.evaluation
    items = []
    if found.bundle is not None:
        items += [("bundle", found.bundle.name), ("digest of the bundle", found.bundle.sha256)]
    items += facts(found.made_of)
    items = [(name, value) for name, value in items if value]
    if not items:
        return None
    return Section(
        "What this was made of",
        "All that is needed to make it again; evaluation.json and rows.jsonl beside this page hold"
        " every figure on it.",
        [Facts(items[:MOST_FACTS])],
    )


def facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return names and values as they are read, groups as one value each."""
    return [(_named(name), "; ".join(_told(value))) for name, value in found.items()]


def _named(name: str) -> str:
    """Return a key as words, its unit in brackets."""
    words = name.split("_")
    if len(words) > 1 and words[-1] in UNITS:
        return f"{' '.join(words[:-1])} ({words[-1]})"
    return " ".join(words)


def _told(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield f"{name} {', '.join(_told(one))}".strip()
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _told(one)
    elif isinstance(value, float):
        yield f"{value:.4g}"
    elif value is not None:
        yield ("yes" if value else "no") if isinstance(value, bool) else str(value)
