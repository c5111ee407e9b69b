"""``eegscribe compare``: reports, or benches, side by side, and what differs beyond noise."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import RecordingError, UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from tools.evaluation.report.comparison import Comparison, Run

EXAMPLE = """examples:
  eegscribe compare report_old report_new
  eegscribe compare report_a report_b report_c --out compared.html
  eegscribe compare bench_before bench_after

Every report is compared with the first one. Where both wrote for the same rows (recording, samples
and reference) they are drawn together, else each for itself, which sees less.

Results of bench (folders, or bench.json) are compared likewise, row by row of the same bundle and
backend. A time is marked where it differs by more than 5 %, by its blocks, and also when each run
is measured by the yardstick timed beside it; other machines, libraries and data are said first."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "compare",
        help="reports or benches side by side, and which differences are beyond noise",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "reports", type=Path, nargs="+", metavar="DIR", help="of evaluate or bench, two or more"
    )
    parser.add_argument("--out", type=Path, metavar="F.html", help="a page to write, of reports")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (%(default)s)")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from tools.benchmarking.results import is_result

    if len(options.reports) < 2:
        raise UsageError("compare: got 1 report, wanted two or more")
    if options.seed < 0:
        raise UsageError(f"--seed: got {options.seed}, wanted 0 or more")
    are_benches = [is_result(path) for path in options.reports]
    if all(are_benches):
        return _benches(options)
    if any(are_benches):
        other = options.reports[are_benches.index(False)]
        raise RecordingError(f"{other}: is no result of bench, wanted all of one kind")
    return _reports(options)


def _benches(options: Namespace) -> int:
    from tools.benchmarking.comparison import compare
    from tools.benchmarking.comparison_table import lines, told
    from tools.benchmarking.results import read_result

    if options.out is not None:
        raise UsageError("--out: a page is of reports, wanted none for benches")
    first, *others = [read_result(path) for path in options.reports]
    found = []
    for path, other in zip(options.reports[1:], others, strict=True):
        names = {"earlier": str(options.reports[0]), "later": str(path)}
        compared = compare(first, other, seed=options.seed)
        found.append(told(compared, **names))
        if options.json:
            print(json.dumps({"type": "comparison", **found[-1]}))
        else:
            print("\n".join([*([""] if len(found) > 1 else []), *lines(compared, **names)]))
    if options.json:
        print(json.dumps({"type": "summary", "comparisons": found}))
    return 0


def _reports(options: Namespace) -> int:
    from tools.evaluation.report.comparison import compare, read_runs

    runs = read_runs(options.reports)
    found = compare(runs, seed=options.seed)
    if options.out is not None:
        _write(options.out, runs, found)
    if options.json:
        for one in found:
            print(json.dumps({"type": "comparison", **_told(one)}, ensure_ascii=False))
        print(json.dumps(_summary(runs, found), ensure_ascii=False))
    else:
        print("\n".join(_lines(runs, found)))
        if options.out is not None:
            print(f"wrote {options.out}")
    return 0


def _write(path: Path, runs: Sequence[Run], found: Sequence[Comparison]) -> None:
    from runtime.whole_file import write_whole
    from tools.evaluation.report.comparison_page import comparison_page
    from tools.evaluation.report.page import html

    page = html(comparison_page(runs, found))
    try:
        write_whole(path, page, is_private=True)
    except OSError as error:
        raise UsageError(f"--out {path}: cannot be written ({error.strerror})") from None


def _told(one: Comparison) -> dict[str, Any]:
    difference = one.difference
    return {
        "first": one.first,
        "other": one.other,
        "difference": difference.estimate,
        "interval": [difference.low, difference.high],
        "p": one.p,
        "p_holm": one.adjusted,
        "beyond_noise": one.is_beyond_noise,
        "drawn": one.how,
    }


def _summary(runs: Sequence[Run], found: Sequence[Comparison]) -> dict[str, Any]:
    """Return the last line of ``--json``; its keys are a contract."""
    first = runs[0].evaluation
    return {
        "type": "summary",
        "error": first.primary.error,
        "normalise": first.normalise,
        "runs": [
            {
                "name": run.name,
                "verdict": run.evaluation.verdict,
                "estimate": run.evaluation.primary.estimate,
                "interval": run.evaluation.interval.primary,
                "rows": run.evaluation.rows,
            }
            for run in runs
        ],
        "comparisons": [_told(one) for one in found],
    }


def _lines(runs: Sequence[Run], found: Sequence[Comparison]) -> list[str]:
    from tools.evaluation.edits import ERROR_NAMES
    from tools.evaluation.report.comparison import HOW
    from tools.evaluation.report.comparison_page import beyond

    lines = [f"{ERROR_NAMES[runs[0].folder.unit]:34}{'error':>8}{'95 % interval':>20}  verdict"]
    for run in runs:
        told = run.evaluation
        ends = told.interval.primary
        between = "" if ends is None else f"[{ends[0]:.4f}, {ends[1]:.4f}]"
        lines.append(f"{run.name[:33]:34}{told.primary.estimate:8.4f}{between:>20}  {told.verdict}")
    lines += ["", f"{'more than ' + runs[0].name[:23]:34}{'':8}{'95 % interval':>20}"]
    lines[-1] += f"{'p':>9}{'corrected':>11}  beyond noise"
    for one in found:
        between = f"[{one.difference.low:+.4f}, {one.difference.high:+.4f}]"
        lines.append(
            f"{one.other[:33]:34}{one.difference.estimate:+8.4f}{between:>20}{one.p:9.2g}"
            f"{one.adjusted:11.2g}  {beyond(one)}"
        )
    return [*lines, *dict.fromkeys(HOW[one.how] for one in found)]
