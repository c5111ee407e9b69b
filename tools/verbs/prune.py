"""``eegscribe prune``: a smaller bundle of one that was trained here, and what it cost."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.compression.options import add_comparison, add_inputs, check_comparison

if TYPE_CHECKING:
    from argparse import Namespace

    from tools.compression.pruning.asked import Asked

EXAMPLE = """examples:
  eegscribe prune sim.eegb --simulate --method structured --amount 0.4 --out small.eegb
  eegscribe prune b.eegb monday.xdf --method iterative --amount hidden=0.5 --rounds 4 --out s.eegb
  eegscribe prune b.eegb monday.xdf --method sensitivity --amount 0.1,0.3,0.5,0.7 --out curves
  eegscribe prune eegnet.eegb run1.xdf run2.xdf run3.xdf --amount 0.4 --out small.eegb
  eegscribe prune b.eegb --simulate --method lottery --amount 0.6 --out ticket.eegb

DATA is what the bundle was trained on: it is split as it was then, and held-out texts stay so.
A bundle that selects (EEGNet) wants also recordings that it has not learnt from: on these it is
judged, on the others its training goes on.
structured, iterative: whole units are removed; the network is smaller, and where its layers are
large faster: the table says whether.
magnitude: single weights become zero; that is smaller once packed, and not faster.
lottery: units of the trained network are trained again from their early weights; train keeps these
with --set training.keep_early=100.
sensitivity: a curve for each layer, no bundle.
A pruning that was killed goes on where it was when the same command is given again."""

METHODS = ("magnitude", "structured", "iterative", "sensitivity", "lottery")


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "prune",
        help="remove what a network can do without",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_inputs(parser, recordings="what it was trained on", made="pruned")
    add = parser.add_argument
    add("--method", choices=METHODS, default="structured", help="(%(default)s)")
    add("--amount", required=True, help="share that goes: 0.4, or by kind hidden=0.4,heads=0.5")
    add("--importance", choices=("taylor", "magnitude"), default="taylor", help="(%(default)s)")
    add("--batches", type=int, default=8, help="that calibrate importance (%(default)s)")
    add("--steps", type=int, help="of fine-tuning; a quarter of the recipe's (all of it: EEGNet)")
    add("--rate", type=float, help="of fine-tuning; likewise")
    add("--rounds", type=int, default=3, help="of an iterative pruning (%(default)s)")
    add("--scratch", action="store_true", help="compare with the same size trained from nothing")
    add_comparison(parser, timed="network")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    _check(options)
    from runtime.whole_file import write_whole
    from tools.compression.pruning.asked import Asked
    from tools.compression.pruning.prune import Pruning, use_one_thread
    from tools.compression.pruning.table import encode, report_path, table

    use_one_thread()
    asked = Asked(
        bundle=options.bundle,
        out=options.out,
        method=options.method,
        amount=options.amount,
        paths=tuple(options.recordings),
        importance=options.importance,
        n_batches=options.batches,
        n_steps=options.steps,
        rate=options.rate,
        n_rounds=options.rounds,
        n_texts=options.texts,
        n_blocks=options.blocks,
        n_windows=options.windows,
        is_scratch=options.scratch,
        cache=options.cache,
    )
    if options.method == "sensitivity":
        return _run_sensitivity(options, asked)
    pruning = Pruning(asked)
    for line in pruning.problems:
        print(f"left out: {line}", file=sys.stderr)
    report = pruning.run()
    write_whole(report_path(options.out), encode(report))
    pruning.clean_up()
    if options.json:
        summary = {"type": "summary", "out": str(options.out), **json.loads(encode(report))}
        print(json.dumps(summary))
        return 0
    print(f"{options.out}: written")
    print(f"{report_path(options.out)}: written")
    print("\n".join(["", *table(report)]))
    return 0


def _run_sensitivity(options: Namespace, asked: Asked) -> int:
    """Write the curves of every layer into the folder ``--out``."""
    from runtime.whole_file import write_whole
    from tools.compression.pruning.asked import parse_shares
    from tools.compression.pruning.prune import Pruning
    from tools.compression.pruning.sensitivity import encode, lines, measure, plot

    found = measure(Pruning(asked).original, parse_shares(asked.amount))
    options.out.mkdir(parents=True, exist_ok=True)
    write_whole(options.out / "sensitivity.json", encode(found))
    plot(found, options.out / "sensitivity.png")
    if options.json:
        told = {"type": "summary", "out": str(options.out), **json.loads(encode(found))}
        print(json.dumps(told))
        return 0
    print(f"{options.out}: sensitivity.json and sensitivity.png written")
    print("\n".join(["", *lines(found)]))
    return 0


def _check(options: Namespace) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: names the option.
    """
    if options.simulate == bool(options.recordings):
        raise UsageError("prune: wanted either recordings or --simulate")
    if options.method == "sensitivity" and options.out is None:
        options.out = Path(f"{options.bundle.stem}.sensitivity")
    check_comparison(options, least={"batches": 1, "rounds": 1})
