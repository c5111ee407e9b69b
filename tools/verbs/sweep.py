"""``eegscribe sweep``: which decisions to write, from saved rows; nothing is decoded again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import RecordingError
from runtime.whole_file import write_whole
from tools.evaluation.figures.decisions import decisions
from tools.evaluation.figures.operating_points import METRICS, csv_of, operating_points, sweep
from tools.evaluation.rows import read_rows

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from tools.evaluation.figures.decisions import Decisions
    from tools.evaluation.figures.operating_points import Best, OperatingPoints, Point, Rates
    from tools.evaluation.figures.write_back import WrittenBack
    from tools.evaluation.rows import Row

EXAMPLE = """examples:
  eegscribe sweep report/
  eegscribe sweep report/ --best f1 --write-back speller.eegb --json

A decision is right where its leading symbol (of a sentence: the whole text) is what was meant. It
is positive where it is written: where its posterior (of a sentence: its confidence) is not below
the threshold.
  tp  right and written          fn  right and withheld
  fp  wrong and written          tn  wrong and withheld
So precision is the share of what is written that is right, recall the share of what is right that
is written, fpr the share of what is wrong that is written, and accuracy the share rightly written
or rightly withheld. An empty field of the CSV is undefined, for want of decisions of one kind.

--write-back sets decoder.abstain_below of a bundle that selects symbols. Its verdict is set back to
"not evaluated", for another decoder was judged; its digest changes."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "sweep",
        help="figures at every commit threshold, from saved rows, and the best of them",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("report", type=Path, metavar="DIR", help="a report, with its rows.jsonl")
    parser.add_argument("--csv", type=Path, help="where to write the sweep (DIR/sweep.csv)")
    parser.add_argument(
        "--best",
        choices=METRICS,
        default="mcc",
        help="what the threshold is best for (%(default)s)",
    )
    parser.add_argument(
        "--write-back", type=Path, metavar="B", help="put the best threshold into this bundle"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON, the summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from tools.evaluation.figures.write_back import selection_bundle, write_back

    rows, found, evaluated = _read(options.report)
    figures = operating_points(found)
    best = figures.best.get(options.best)
    bundle = None
    if options.write_back is not None:
        if best is None:
            raise RecordingError(
                f"{options.report}: {options.best} is undefined at every threshold"
                f" ({'; '.join(figures.undefined)}), wanted a threshold to write back"
            )
        bundle = selection_bundle(options.write_back, rows, evaluated=evaluated)
    target = options.csv or options.report / "sweep.csv"
    points = sweep(found)
    try:
        # All of a report's folder is for its owner alone; what is put elsewhere is numbers.
        write_whole(target, csv_of(points), is_private=options.csv is None)
    except OSError as error:
        raise RecordingError(f"{target}: cannot be written ({error.strerror})") from None
    written = None
    if bundle is not None and best is not None:
        written = write_back(
            options.write_back,
            bundle,
            abstain_below=best.point.threshold,
            metric=options.best,
        )
    if options.json:
        print(json.dumps(_summary(options, figures, best, written, target), ensure_ascii=False))
    else:
        print("\n".join(_lines(options, figures, best, written)))
        print(f"{target}: {len(points)} thresholds")
    return 0


def _read(report: Path) -> tuple[list[Row], Decisions, list[str]]:
    """Return the rows, what was decided of them, and the digests of the bundle that did so.

    Raises:
        RecordingError: there are none, or none says how sure the decoder was.
    """
    from tools.evaluation.report.data import EVALUATION, ROWS, read_evaluation

    path = report / ROWS
    rows = read_rows(path)
    if not rows:
        raise RecordingError(f"{path}: holds no rows, wanted those of an evaluation")
    told = report / EVALUATION
    judged = read_evaluation(told) if told.is_file() else None
    bundle = judged.bundle if judged else None
    try:
        found = decisions(rows, how=judged.normalise if judged else "basic")
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None
    if not found.kept:
        raise RecordingError(
            f"{path}: none of {len(rows)} rows says how sure the decoder was, wanted posteriors"
            " of selections, or confidences (which a bundle with a confidence map gives)"
        )
    digests = (bundle.sha256, bundle.written) if bundle else ()
    return rows, found, [sha256 for sha256 in digests if sha256]


def _summary(
    options: Namespace,
    figures: OperatingPoints,
    best: Best | None,
    written: WrittenBack | None,
    target: Path,
) -> dict[str, Any]:
    return {
        "type": "summary",
        "csv": str(target),
        "best": {"metric": options.best} | (msgspec.to_builtins(best) if best else {"point": None}),
        "operating_points": msgspec.to_builtins(figures),
        "written_back": None if written is None else msgspec.to_builtins(written),
    }


def _lines(
    options: Namespace, figures: OperatingPoints, best: Best | None, written: WrittenBack | None
) -> Iterator[str]:
    from models.speller_validation import wilson_interval

    n, n_right = figures.n, figures.n_right
    low, high = wilson_interval(n_right, n)
    yield (
        f"{n_right} of {n} decisions right: {n_right / n:.1%} [{low:.1%}, {high:.1%}]"
        + ("" if figures.guess is None else f" (chance {figures.guess:.1%})")
        + f"; swept over their {figures.score}"
    )
    if figures.roc is not None:
        yield f"right from wrong: ROC AUC {figures.roc.area:.3f} (chance .5)"
    if figures.precision_recall is not None:
        curve = figures.precision_recall
        yield f"average precision {curve.area:.3f} (chance {curve.chance:.3f})"
    yield from figures.undefined
    if best is None:
        yield f"{options.best} is undefined at every threshold"
        return
    yield ""
    yield f"best {options.best} at threshold {best.point.threshold!r}"
    yield from _table(figures, best)
    if written is not None:
        yield ""
        yield from _told(options.write_back, written)


def _table(figures: OperatingPoints, best: Best) -> Iterator[str]:
    """Yield the rates beside those of chance, of a decoder that writes all, and held out."""
    columns: dict[str, Rates | None] = {
        "best": best.point,
        "held out": best.held_out,
        "chance": best.chance,
        "writes all": figures.writes_all,
    }
    yield f"{'':12}" + "".join(f"{title:>12}" for title in columns)
    for name in METRICS:
        values = (None if one is None else getattr(one, name) for one in columns.values())
        yield f"{name:12}" + "".join(
            f"{'-':>12}" if value is None else f"{value:z12.3f}" for value in values
        )
    counted: tuple[Point | None, ...] = (best.point, best.held_out, None, figures.writes_all)
    for count in ("tp", "fp", "fn", "tn"):
        yield f"{count:12}" + "".join(
            f"{'':12}" if one is None else f"{getattr(one, count):12}" for one in counted
        )
    yield "held out: each part at the threshold that was best on the rest; the honest figure"
    yield "chance: as many written, whichever they be"


def _told(path: Path, written: WrittenBack) -> Iterator[str]:
    if written.sha256 == written.was_sha256:
        yield f"{path}: decoder.abstain_below is {written.was!r} already; nothing was changed"
    else:
        yield f"{path}: decoder.abstain_below {written.was!r} -> {written.abstain_below!r}"
        if written.verdict == "not evaluated":
            yield '  verdict "not evaluated", as before'
        else:
            yield (
                f'  verdict "{written.verdict}" -> "not evaluated": another decoder was judged;'
                " evaluate this one"
            )
        yield f"  digest {written.was_sha256[:12]} -> {written.sha256}"
    yield from (f"  {warning}" for warning in written.warnings)
