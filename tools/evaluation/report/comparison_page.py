"""Runs side by side as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.edits import ERROR_NAMES
from tools.evaluation.report.comparison import HOW
from tools.evaluation.report.page import Page
from tools.evaluation.report.parts import (
    Cell,
    Facts,
    Line,
    Part,
    Section,
    Strip,
    Strips,
    Table,
    number,
)
from tools.evaluation.report.report import SIMULATED
from tools.evaluation.report.verdict import ERROR_WORDS, announced, chance_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.evaluation.report.comparison import Comparison, Run


def comparison_page(runs: Sequence[Run], found: Sequence[Comparison]) -> Page:
    """Return the page of at least two runs."""
    name = ERROR_NAMES[runs[0].folder.unit]
    simulated = [run.name for run in runs if run.evaluation.simulated]
    note = ""
    if simulated:
        note = SIMULATED if len(simulated) == len(runs) else f"Simulated: {', '.join(simulated)}."
    return Page(
        title="Reports side by side",
        subtitle=f"{', '.join(run.name for run in runs)}; judged by {name},"
        f" {runs[0].evaluation.claim} output",
        verdicts=[announced(run.evaluation, of=run.name) for run in runs],
        first=[],
        sections=[_errors(runs), _differences(runs, found), _figures(runs)],
        simulated=note,
    )


def _errors(runs: Sequence[Run]) -> Section:
    name = ERROR_NAMES[runs[0].folder.unit]
    chance = chance_of(runs[0].folder)
    strips = []
    for run in runs:
        told = run.evaluation
        best = min((one.error for one in told.controls.baselines.values()), default=None)
        noise = min((one.error for one in told.controls.inputs.values()), default=None)
        cells = (_told(noise), _told(best))
        ends = told.interval.primary
        strips.append(Strip(run.name, told.primary.estimate, ends, kind="eeg", cells=cells))
    return Section(
        "Errors",
        "Each run with its own interval; whether two differ is not seen from whether these overlap,"
        " but from the differences below.",
        [
            Strips(
                f"Error of each run ({ERROR_WORDS[runs[0].folder.unit]})",
                name,
                (("", strips),),
                columns=("best noise", "best text alone"),
                lines=() if chance is None else (Line(chance, "chance"),),
                first="run",
            )
        ],
    )


def _differences(runs: Sequence[Run], found: Sequence[Comparison]) -> Section:
    strips = [
        Strip(
            one.other,
            one.difference.estimate,
            (one.difference.low, one.difference.high),
            kind="eeg" if one.is_beyond_noise else "other",
            cells=(f"{one.adjusted:.2g}", beyond(one)),
        )
        for one in found
    ]
    return Section(
        f"Differences from {runs[0].name}",
        "Left of the dashed line a run errs less than the first; a difference is beyond noise if p,"
        " corrected for the number of comparisons, is below 0.05.",
        [
            Strips(
                f"How much more than {runs[0].name} each errs",
                "difference",
                (("", strips),),
                columns=("p, corrected", "beyond noise"),
                lines=(Line(0.0, "no difference"),),
                first="run",
            ),
            Facts([(one.other, HOW[one.how]) for one in found]),
        ],
    )


def beyond(one: Comparison) -> str:
    """Return in words whether a difference is beyond noise, and which way."""
    if not one.is_beyond_noise:
        return "no"
    return "yes, errs less" if one.difference.estimate < 0 else "yes, errs more"


def _figures(runs: Sequence[Run]) -> Section:
    rows = []
    for run in runs:
        told = run.evaluation
        total = told.latency_ms.get("total")
        itr = None if told.itr is None else told.itr.bits_per_min
        rows.append(
            [
                Cell(run.name),
                Cell(told.verdict),
                number(told.rows, "d"),
                number(told.wer),
                number(told.cer),
                number(told.exact, ".1%"),
                number(itr, ".1f"),
                number(told.characters_per_min, ".1f"),
                number(None if total is None else total.p50, ".2f"),
                number(None if total is None else total.p99, ".2f"),
            ]
        )
    names = (
        "run", "verdict", "rows", "WER", "CER", "exactly right", "bits/min", "characters/min",
        "ms (p50)", "ms (p99)",
    )  # fmt: skip
    is_selection = runs[0].folder.unit == "selections"
    hidden = {"WER", "CER"} if is_selection else set()
    kept = [
        k for k, name in enumerate(names) if name not in hidden and any(row[k].text for row in rows)
    ]
    table: Part = Table(
        "Figures beside each other",
        tuple(names[k] for k in kept),
        [[row[k] for k in kept] for row in rows],
    )
    return Section(
        "All figures",
        "These are not tested: only the error that each was judged by is.",
        [table],
    )


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
