"""``eegscribe train-lm``: a language model of characters or words from text, as an ARPA file."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.arpa import MAX_ORDER
from pipeline.errors import RecordingError, UsageError
from runtime.whole_file import write_whole
from tools.console.progress import progress
from tools.language.language_model import arpa_lines, clean_phrases
from tools.language.lm_units import Characters, Words

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """examples:
  eegscribe train-lm phrases.txt --out lm.arpa
  eegscribe train-lm *.txt --order 6 --prune 0.5 --held-out unseen.txt --out lm.arpa --json
  eegscribe train-lm phrases.txt --unit word --vocabulary lexicon.txt --out words.arpa

One phrase a line. Without --held-out, a model of nine tenths of the lines is measured on the rest;
the model that is written has learned from all of them."""

EVERY = 10
ORDERS = {"character": 6, "word": 3}


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "train-lm",
        help="make a language model of characters or words from text",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("corpus", type=Path, nargs="+", help="UTF-8 text, one phrase a line")
    parser.add_argument("--out", type=Path, required=True, help="the ARPA file to write")
    parser.add_argument(
        "--unit", choices=tuple(ORDERS), default="character", help="what is counted (%(default)s)"
    )
    parser.add_argument(
        "--vocabulary",
        type=Path,
        help="words that may come, one a line, as in a lexicon; others are <unk>",
    )
    parser.add_argument("--order", type=int, help="the longest n-gram (6 characters, 3 words)")
    parser.add_argument(
        "--prune",
        type=float,
        default=0.0,
        help="drop an n-gram without which the text loses fewer nats (%(default)s: drop none)",
    )
    parser.add_argument("--held-out", type=Path, help="measure on this text")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    order = ORDERS[options.unit] if options.order is None else options.order
    if not 1 <= order <= MAX_ORDER:
        raise UsageError(f"--order: got {options.order}, wanted 1 to {MAX_ORDER}")
    if not 0 <= options.prune < math.inf:
        raise UsageError(f"--prune: got {options.prune}, wanted nats, 0 or more")
    if options.vocabulary and options.unit != "word":
        raise UsageError("--vocabulary: a list of words is for --unit word")
    phrases = [phrase for path in options.corpus for phrase in read_phrases(path)]
    units: Characters | Words
    units = Characters() if options.unit == "character" else Words(options.vocabulary)
    n_fits = 1 if options.held_out else 2
    with progress("language model", total=n_fits * order) as bar:
        model = units.train(phrases, order=order, prune=options.prune, on_order=bar)
        if options.held_out:
            unseen, judged = read_phrases(options.held_out), model
        else:
            unseen, seen = phrases[EVERY - 1 :: EVERY], list(phrases)
            del seen[EVERY - 1 :: EVERY]
            if not unseen:
                raise RecordingError(
                    f"{options.corpus[0]}: {len(phrases)} phrases, expected at least {EVERY}"
                )
            judged = units.train(
                seen,
                order=order,
                prune=options.prune,
                on_order=lambda done: bar(order + done),
            )
    nats, n_units = units.nats(judged, unseen)
    bits = nats / math.log(2) / (n_units + len(unseen))
    n_bytes = write_text(options.out, "".join(arpa_lines(model, units.names())))
    summary = {
        "type": "summary",
        "out": str(options.out),
        "order": model.order,
        "ngrams": [len(listed) for listed in model.p],
        "bytes": n_bytes,
        "phrases": len(phrases),
        f"{options.unit}s": sum(map(units.count, phrases)),
        "held_out_phrases": len(unseen),
        f"held_out_{options.unit}s": n_units,
        f"bits_per_{options.unit}": bits,
        "perplexity": 2.0**bits,
    }
    _report(summary, options.unit, as_json=options.json)
    return 0


def read_phrases(path: Path) -> list[str]:
    """Return the clean phrases of a text file.

    Raises:
        RecordingError: it cannot be read, is not UTF-8, or holds no phrase.
    """
    try:
        phrases = list(clean_phrases(path.read_text(encoding="utf-8").splitlines()))
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path}: byte {error.start} is not UTF-8 text") from None
    if not phrases:
        raise RecordingError(f"{path}: no phrases, expected one a line")
    return phrases


def write_text(path: Path, text: str) -> int:
    """Write a whole file or none; return its size in bytes.

    Raises:
        UsageError: it cannot be written there.
    """
    data = text.encode("utf-8")
    try:
        write_whole(path, data)
    except OSError as error:
        raise UsageError(f"--out {path}: {error.strerror}") from None
    return len(data)


def _report(summary: dict[str, Any], unit: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary))
        return
    print(
        f"{summary['out']}: order {summary['order']}, {sum(summary['ngrams'])} n-grams, "
        f"{summary['bytes'] / 1e6:.2f} MB, from {summary['phrases']} phrases"
    )
    print(
        f"held out, {summary[f'held_out_{unit}s']} {unit}s: "
        f"{summary[f'bits_per_{unit}']:.3f} bits a {unit}, "
        f"perplexity {summary['perplexity']:.2f}"
    )
