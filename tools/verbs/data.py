"""``eegscribe data``: what training would see of recordings, how they split, what is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import RecordingError, UsageError
from tools.console.progress import progress
from tools.training.data.bids import find_recordings
from tools.training.data.corpus import read_corpus
from tools.training.data.cuts import cut_corpus
from tools.training.data.settings import DataSettings
from tools.training.data.splits import split_cuts
from tools.training.data.statistics import corpus_statistics, statistics_lines
from tools.training.data.trial_statistics import (
    read_trials,
    split_trials,
    trial_lines,
    trial_statistics,
)

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

EXAMPLE = """examples:
  eegscribe data monday.xdf tuesday.xdf
  eegscribe data run*.xdf --trials --split session
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
    parser.add_argument("--trials", action="store_true", help="labelled trials, not texts")
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
    found = [recording for path in options.recordings for recording in find_recordings(path)]
    with progress("reading", total=len(found)) as bar:
        if options.trials:
            seen = _see_trials(found, settings, on_done=bar)
        else:
            allowed = None if options.vocabulary is None else frozenset(options.vocabulary)
            seen = _see_texts(found, settings, allowed=allowed, on_done=bar)
    if options.json:
        for described in seen.recordings:
            print(json.dumps({"type": "recording", **described}))
        no_split = {"no_split": seen.no_split} if seen.no_split else {}
        print(json.dumps({"type": "summary", **seen.statistics, **no_split}))
        return 0
    print("\n".join(seen.lines))
    if seen.no_split:
        print(f"no split by {settings.split_by}: {seen.no_split}")
    problems = seen.statistics["problems"]
    if problems:
        print(f"\n{len(problems)} left out:", file=sys.stderr)
        for line in problems:
            print(f"  {line}", file=sys.stderr)
    return 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is: a table a recording, statistics and the same in lines, why no split."""

    recordings: list[dict[str, Any]]
    statistics: dict[str, Any]
    lines: list[str]
    no_split: str


def _see_texts(
    paths: Sequence[Path],
    settings: DataSettings,
    *,
    allowed: frozenset[str] | None,
    on_done: Callable[[int], None],
) -> _Seen:
    corpus = read_corpus(paths, settings, allowed=allowed, on_done=on_done)
    cuts = cut_corpus(corpus, margin_s=settings.margin_s)
    parts, no_split = _parts(lambda: split_cuts(cuts, settings))
    statistics = corpus_statistics(corpus, cuts, parts)
    described = [
        {
            "path": str(recorded.path),
            "subject": recorded.subject,
            "session": recorded.session,
            "texts": [
                {"text": span.text, "start": span.start, "stop": span.stop}
                for span in recorded.spans
            ],
        }
        for recorded in corpus.recordings
    ]
    return _Seen(described, statistics, statistics_lines(statistics), no_split)


def _see_trials(
    paths: Sequence[Path], settings: DataSettings, *, on_done: Callable[[int], None]
) -> _Seen:
    trials, problems = read_trials(paths, settings, on_done=on_done)
    parts, no_split = _parts(lambda: split_trials(trials, settings))
    statistics = trial_statistics(trials, parts, problems)
    described: dict[str, dict[str, Any]] = {}
    for trial in trials:
        of = {"path": trial.recording, "subject": trial.subject, "session": trial.session}
        own = described.setdefault(trial.recording, {**of, "trials": []})
        own["trials"].append({"number": trial.number, "label": trial.text})
    return _Seen(list(described.values()), statistics, trial_lines(statistics), no_split)


def _parts(
    split: Callable[[], dict[str, tuple[int, ...]]],
) -> tuple[dict[str, tuple[int, ...]], str]:
    """Return the parts, or none and why not."""
    try:
        return split(), ""
    except RecordingError as error:
        return {}, str(error)
