"""``eegscribe data``: what training would see of recordings, how they split, what is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import RecordingError, UsageError
from tools.progress import progress
from tools.training.bids import find_recordings
from tools.training.corpus import read_corpus
from tools.training.cuts import cut_corpus
from tools.training.data_settings import DataSettings
from tools.training.splits import split_cuts
from tools.training.statistics import corpus_statistics, statistics_lines

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """examples:
  eegscribe data monday.xdf tuesday.xdf
  eegscribe data bids-folder --text-column trial_type --text-prefix sentence/ --split subject --json

Texts are text:<string> and text:end markers, annotations text:<string> that last, or rows of a BIDS
table of events. A folder stands for every *_eeg recording below it. Nothing is written."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "data",
        help="what training would see of recordings",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("recordings", nargs="+", type=Path, metavar="REC", help="file or folder")
    add_data_arguments(parser)
    parser.add_argument("--vocabulary", help="the characters that texts may have")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how recordings are read; each is None where it is not given."""
    parser.add_argument(
        "--split",
        choices=("sentence", "session", "subject"),
        help="what training and held-out data never share (sentence)",
    )
    parser.add_argument("--split-seed", type=int, metavar="N", help="decides which they are (0)")
    parser.add_argument("--held-out", type=float, metavar="SHARE", help="of the data (0.1)")
    parser.add_argument("--text-column", metavar="NAME", help="of BIDS events (trial_type, value)")
    parser.add_argument("--text-prefix", metavar="TEXT", help="of a text's row (text:)")
    parser.add_argument(
        "--who",
        action="append",
        metavar="FILE=SUBJECT/SESSION",
        help="who a recording is of; FILE may have * and ?, the first that fits counts",
    )
    parser.add_argument("--max-errors", type=int, metavar="N", help="so many stop the reading (5)")


def data_settings(options: Namespace, given: DataSettings | None = None) -> DataSettings:
    """Return ``given`` settings, or the defaults, with what the options say.

    Raises:
        UsageError: an option is out of its range; names it.
    """
    people: dict[str, str] = {}
    for text in options.who or ():
        pattern, equals, who = text.partition("=")
        if not (pattern and equals and who.strip("/")):
            raise UsageError(f"--who {text}: wanted FILE=SUBJECT or FILE=SUBJECT/SESSION")
        people[pattern] = who
    asked = {
        "split_by": options.split,
        "split_seed": options.split_seed,
        "held_out": options.held_out,
        "text_column": options.text_column,
        "text_prefix": options.text_prefix,
        "max_errors": options.max_errors,
        "people": people or None,
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    try:
        return msgspec.structs.replace(given or DataSettings(), **changes)
    except ValueError as error:
        raise UsageError(f"--{str(error).replace('_', '-', 1)}") from None


def run(options: Namespace) -> int:
    """Run the verb."""
    settings = data_settings(options)
    allowed = None if options.vocabulary is None else frozenset(options.vocabulary)
    found = [recording for path in options.recordings for recording in find_recordings(path)]
    with progress("reading", total=len(found)) as bar:
        corpus = read_corpus(found, settings, allowed=allowed, on_done=bar)
    cuts = cut_corpus(corpus, margin_s=settings.margin_s)
    try:
        parts = split_cuts(cuts, settings)
        no_split = ""
    except RecordingError as error:
        parts, no_split = {}, str(error)
    statistics = corpus_statistics(corpus, cuts, parts)
    if options.json:
        _print_json(corpus, statistics, no_split)
        return 0
    for line in statistics_lines(statistics):
        print(line)
    if no_split:
        print(f"no split by {settings.split_by}: {no_split}")
    if corpus.problems:
        print(f"\n{len(corpus.problems)} left out:", file=sys.stderr)
        for line in corpus.problems:
            print(f"  {line}", file=sys.stderr)
    return 0


def _print_json(corpus: Any, statistics: dict[str, Any], no_split: str) -> None:
    for recorded in corpus.recordings:
        described = {
            "type": "recording",
            "path": str(recorded.path),
            "subject": recorded.subject,
            "session": recorded.session,
            "texts": [
                {"text": span.text, "start": span.start, "stop": span.stop}
                for span in recorded.spans
            ],
        }
        print(json.dumps(described))
    summary = {"type": "summary", **statistics}
    if no_split:
        summary["no_split"] = no_split
    print(json.dumps(summary))
