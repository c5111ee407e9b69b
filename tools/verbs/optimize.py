"""``eegscribe optimize``: the steps that make a bundle smaller and faster, searched and proven."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.compression.options import add_comparison, add_inputs, check_comparison

if TYPE_CHECKING:
    from argparse import Namespace

    from tools.compression.optimizing.asked import Asked

EXAMPLE = """examples:
  eegscribe optimize sim.eegb --simulate --max-drop 2% --out small.eegb
  eegscribe optimize b.eegb monday.xdf tuesday.xdf --max-drop 1% --p99 5 --walks 10 --out s.eegb
  eegscribe optimize b.eegb --simulate --max-drop 3% --scratch --out small.eegb

Walks through prune, int8, mixed bits (or float16), with shares that an optimiser proposes. Where
int8 is refused for its errors alone, the network is trained for it (int8-trained). A step is kept
only if the guard lets it:
  errors  the one-sided 95 % upper bound of how many more there are than the ORIGINAL makes, text by
          text, lies below --max-drop; with too few texts that is `cannot tell`, and the step is
          refused (0.5 % takes about 5000 characters);
  time    the 95 % upper bound of the ratio of 99th percentiles, by turns in blocks, lies below 1
          beside the step before and beside the original (1.05 for a step that is only smaller).
One half of what was held out is searched on, the other, with neither text nor session in common,
confirms what was picked, once. Where it does not, nothing is written and the exit code is 1.
DATA is what the bundle was trained on; for a bundle that selects, or that train did not make, two
or more labelled recordings: what it has learnt from is searched on, never confirmed on. Of these
bundles only EEGNet is pruned, and only where some of what it has learnt from is given. The bundle
that was given stays as it is, and is named as the fallback. A search that was killed goes on where
it was when the same command is given again."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "optimize",
        help="search what makes a bundle smaller and faster, with proof",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_inputs(parser, recordings="what it was trained on", made="optimized")
    add = parser.add_argument
    add("--max-drop", required=True, metavar="SHARE", help="errors that may be lost: 2%% or 0.02")
    add("--p99", metavar="MS", help="most that the model's part of a hop may take")
    add("--size", type=float, metavar="KB", help="most that the files that run may have")
    add(
        "--prefer",
        choices=("speed", "size", "errors"),
        default="speed",
        help="of all that is within the limits (%(default)s)",
    )
    add("--walks", type=int, default=6, help="different shares that are tried (%(default)s)")
    add("--steps", type=int, help="of each fine-tuning; as of prune")
    add("--rate", type=float, help="of fine-tuning; as of prune")
    add("--scratch", action="store_true", help="compare with the same size trained from nothing")
    add_comparison(parser, timed="form")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    asked = _asked(options)
    from runtime.whole_file import write_whole
    from tools.compression.optimizing.front_plot import plot
    from tools.compression.optimizing.optimize import Optimizing
    from tools.compression.optimizing.report import (
        encode,
        front_path,
        report_path,
        table,
        walk_lines,
    )
    from tools.compression.pruning.prune import use_one_thread

    use_one_thread()
    optimizing = Optimizing(asked)
    for line in optimizing.problems:
        print(f"left out: {line}", file=sys.stderr)
    unit = optimizing.walker.exam.unit
    report = optimizing.run(
        on_walk=lambda walk: print("\n".join(walk_lines(walk, unit)), file=sys.stderr, flush=True)
    )
    write_whole(report_path(options.out), encode(report))
    plot(report, front_path(options.out))
    optimizing.clean_up()
    is_written = report.refused is None
    if options.json:
        summary = {"type": "summary", "out": str(options.out), "written": is_written}
        print(json.dumps(summary | json.loads(encode(report))))
    else:
        print("\n".join(["", *table(report), ""]))
        for path in (report_path(options.out), front_path(options.out)):
            print(f"{path}: written")
        if is_written:
            print(f"{options.out}: written")
    if not is_written:
        print(f"eegscribe: {options.out}: not written, {report.refused}", file=sys.stderr)
    return 0 if is_written else 1


def _asked(options: Namespace) -> Asked:
    """Return what is asked for, checked.

    Raises:
        UsageError: names the option.
    """
    from tools.compression.optimizing.asked import Asked

    if options.simulate == bool(options.recordings):
        raise UsageError("optimize: wanted either recordings or --simulate")
    p99_ms = None if options.p99 is None else parse_ms(options.p99)
    if options.size is not None and not (math.isfinite(options.size) and options.size > 0):
        raise UsageError(f"--size: got {options.size}, wanted more than 0")
    check_comparison(options, least={"walks": 1})
    return Asked(
        bundle=options.bundle,
        out=options.out,
        max_drop=parse_share(options.max_drop),
        paths=tuple(options.recordings),
        p99_ms=p99_ms,
        most_bytes=None if options.size is None else round(1e3 * options.size),
        prefer=options.prefer,
        n_walks=options.walks,
        n_steps=options.steps,
        rate=options.rate,
        n_texts=options.texts,
        n_blocks=options.blocks,
        n_windows=options.windows,
        is_scratch=options.scratch,
        cache=options.cache,
    )


def parse_ms(text: str) -> float:
    """Return the milliseconds of ``5`` or ``5ms``.

    Raises:
        UsageError: another form, or not above 0.
    """
    found = re.fullmatch(r"(\d*\.?\d+)\s*(ms)?", text.strip())
    if not found or float(found[1]) <= 0.0:
        raise UsageError(f"--p99: got {text!r}, wanted milliseconds above 0, such as 5 or 5ms")
    return float(found[1])


def parse_share(text: str) -> float:
    """Return the share of ``0.5%`` or ``0.005``.

    Raises:
        UsageError: another form, or not above 0 and below 1.
    """
    found = re.fullmatch(r"(\d*\.?\d+)\s*(%?)", text.strip())
    share = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0.0 < share < 1.0:
        raise UsageError(f"--max-drop: got {text!r}, wanted a share such as 0.5% or 0.005")
    return share
