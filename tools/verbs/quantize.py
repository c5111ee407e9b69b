"""``eegscribe quantize``: a bundle of fewer bits, and what it cost."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.compression.options import add_comparison, add_inputs, check_comparison

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """examples:
  eegscribe quantize b.eegb monday.xdf --method static --out small.eegb
  eegscribe quantize b.eegb --simulate --method mixed --smaller 0.75 --out small.eegb
  eegscribe quantize b.eegb --simulate --method qat --bits 4 --steps 400 --out small.eegb

DATA is what the bundle was trained on: ranges are measured on that part of it, errors on texts that
were held out then. For a bundle that selects, or that train did not make, they are any labelled
recordings: ranges of one (that it has learnt from, if there is such a one), errors of the rest, and
of those that it has learnt from only where there are no others. dynamic needs none, and then
compares time alone.
dynamic: each row and frame is rounded by its own largest value; nothing is measured beforehand.
static: by ranges measured beforehand; faster.
mixed: static, 16, 8 or 4 bits a layer, as much as each one can bear.
qat: static, after training with rounded weights; worth its time at 4 bits. A bundle that selects
is trained on those of DATA that it has learnt from, and judged on the others: give it both.
Products are of int8 in all of them: 4 bits make the file smaller, not the call faster.
A bundle that is not shown to be faster than float32 in the same runtime is not written, unless
--allow-slower is given: a recurrent network of 128 units, say, is not."""

SMALLER = 0.75

METHODS = ("dynamic", "static", "qat", "mixed")


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "quantize",
        help="fewer bits a weight: smaller and, if large enough, faster",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_inputs(parser, recordings="what it was trained on, or labelled", made="quantized")
    add = parser.add_argument
    add("--method", choices=METHODS, default="static", help="(%(default)s)")
    add("--bits", type=int, choices=(8, 4), help="of every layer (8; 4 with qat)")
    add("--smaller", type=float, help=f"mixed: of int8's file ({SMALLER:g})")
    add("--steps", type=int, help="qat: of training; a quarter of the recipe's")
    add("--rate", type=float, help="qat: of training; a quarter of the recipe's")
    add("--allow-slower", action="store_true", help="write it even if it is not faster")
    add_comparison(parser, timed="form")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    _check(options)
    from msgspec.structs import replace

    from runtime.whole_file import write_whole
    from tools.compression.pruning.prune import use_one_thread
    from tools.compression.quantizing.quantize import ORIGINAL, Asked, Quantizing
    from tools.compression.quantizing.table import encode, report_path, table

    use_one_thread()
    quantizing = Quantizing(
        Asked(
            bundle=options.bundle,
            out=options.out,
            method=options.method,
            paths=tuple(options.recordings),
            is_simulated=options.simulate,
            bits=options.bits or (4 if options.method == "qat" else 8),
            share=options.smaller or SMALLER,
            n_steps=options.steps,
            rate=options.rate,
            n_texts=options.texts,
            n_blocks=options.blocks,
            n_windows=options.windows,
            cache=options.cache,
        )
    )
    for line in quantizing.problems:
        print(f"left out: {line}", file=sys.stderr)
    report = quantizing.run()
    is_written = report.is_faster or options.allow_slower
    if is_written:
        report = replace(report, sha256=quantizing.write(report))
        write_whole(report_path(options.out), encode(report))
        quantizing.clean_up()
    if options.json:
        summary = {"type": "summary", "out": str(options.out), "written": is_written}
        print(json.dumps(summary | json.loads(encode(report))))
    else:
        print("\n".join(table(report, original=ORIGINAL)))
        if is_written:
            print(f"{options.out}: written")
    if not is_written:
        print(
            f"eegscribe: {options.out}: not written, {report.speed_said()};"
            " wanted a faster one, or --allow-slower",
            file=sys.stderr,
        )
    return 0 if is_written else 1


def _check(options: Namespace) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: names the option.
    """
    if options.simulate and options.recordings:
        raise UsageError("quantize: wanted either recordings or --simulate")
    if options.method != "dynamic" and not (options.simulate or options.recordings):
        raise UsageError(
            f"--method {options.method}: wanted recordings or --simulate to measure on"
        )
    if options.method != "mixed" and options.smaller is not None:
        raise UsageError("--smaller: is for --method mixed")
    if options.smaller is not None and not 0.0 < options.smaller <= 2.0:
        raise UsageError(f"--smaller: got {options.smaller}, wanted more than 0 and at most 2")
    if options.method == "mixed" and options.bits is not None:
        raise UsageError("--bits: is for a uniform quantization, wanted none with mixed")
    if options.method != "qat" and (options.steps, options.rate) != (None, None):
        raise UsageError("--steps, --rate: are for --method qat")
    check_comparison(options)
