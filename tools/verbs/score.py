"""``eegscribe score``: anyone's published outputs put to the test."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import RecordingError, UsageError
from tools.console.progress import progress

if TYPE_CHECKING:
    from argparse import Namespace

    from tools.evaluation.edits import Unit
    from tools.evaluation.pairs import Normalisation, Pair

EXAMPLE = """examples:
  eegscribe score outputs.jsonl --against noise=outputs_on_noise.jsonl
  eegscribe score outputs.jsonl --against noise=outputs_on_noise.jsonl --out report
  eegscribe score outputs.jsonl --claim teacher-forced --json

A line of a file is an object with reference and hypothesis; also teacher_forced, without_lm (the
hypothesis with the language model off), subject, session, recording and duration_s where known.
Files after --against hold what the same system wrote when it was fed, or trained on, noise."""

UNITS: dict[str, Unit] = {"wer": "words", "cer": "characters", "accuracy": "selections"}


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "score",
        help="scores, controls and a verdict on outputs of any system",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("pairs", type=Path, help="JSON lines of reference and hypothesis")
    parser.add_argument(
        "--against",
        action="append",
        nargs="+",
        default=[],
        metavar="[NAME=]FILE",
        help="outputs for the same references with noise in place of EEG; may be repeated",
    )
    parser.add_argument(
        "--primary", choices=tuple(UNITS), default="wer", help="the error judged (%(default)s)"
    )
    parser.add_argument(
        "--claim",
        choices=("free-running", "teacher-forced"),
        default="free-running",
        help="which output the score is claimed of (%(default)s)",
    )
    parser.add_argument(
        "--normalise",
        choices=("none", "basic"),
        default="basic",
        help="basic: lower case, ASCII punctuation deleted (%(default)s)",
    )
    parser.add_argument("--train-text", type=Path, help="texts trained on, one a line")
    parser.add_argument(
        "--no-lm", action="store_true", help="declare that no language model is used"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of a report to write")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one line of JSON, the summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from tools.evaluation.judgement import Claim, Judge
    from tools.evaluation.pairs import normalise, normalised, read_pairs
    from tools.evaluation.passes.overlap import read_texts
    from tools.evaluation.report.data import PAGE
    from tools.evaluation.report.folder import check_folder
    from tools.evaluation.summary import lines, summary

    unit, how = UNITS[options.primary], options.normalise
    if options.seed < 0:
        raise UsageError(f"--seed: got {options.seed}, wanted 0 or more")
    if options.out is not None:
        check_folder(options.out)
    given = read_pairs(options.pairs)
    pairs, n_dropped = normalised(given, how)
    if not pairs:
        raise RecordingError(f"{options.pairs}: no reference holds a word, wanted some that do")
    is_forced = options.claim == "teacher-forced"
    if is_forced and all(pair.teacher_forced is None for pair in pairs):
        raise RecordingError(f"{options.pairs}: has no teacher_forced to claim, wanted some")
    training = None
    if options.train_text is not None:
        texts = (normalise(text, how) for text in read_texts(options.train_text))
        training = [text for text in texts if text]
    claim = Claim(unit=unit, teacher_forced=is_forced, training=training, uses_lm=not options.no_lm)
    controls = _controls(options, pairs, how)
    with progress("exchanging"):
        found = Judge(pairs, claim, seed=options.seed).judge(controls)
    told = summary(found, how=how, n_dropped=n_dropped)
    if options.out is not None:
        judged = [pair for pair in given if normalise(pair.reference, how)]
        _write(options, judged, controls, told, training)
    if options.json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        print("\n".join(lines(found, how=how, n_dropped=n_dropped)))
        if options.out is not None:
            print(f"wrote {options.out / PAGE}")
    return 0


def _write(
    options: Namespace,
    judged: list[Pair],
    controls: dict[str, list[Pair]],
    told: dict[str, Any],
    training: list[str] | None,
) -> None:
    from tools.evaluation.figures.frequency_groups import symbol_counts
    from tools.evaluation.report.scored import rows_of, write_scored
    from tools.recordings.digests import digests

    files = [options.pairs, *(path for _, path in _named(options)), options.train_text]
    made_of = {
        "command": shlex.join(["eegscribe", *_words(options)]),
        "digests": digests(dict.fromkeys(path for path in files if path is not None)),
    }
    trained = None
    if training and options.primary != "accuracy":  # symbols of selections are all there are
        trained = symbol_counts(training, in_words=options.primary == "wer")
    write_scored(
        options.out,
        rows_of(judged, controls, is_forced=options.claim == "teacher-forced"),
        told,
        title=options.pairs.stem,
        made_of=made_of,
        seed=options.seed,
        trained=trained,
    )


def _words(options: Namespace) -> list[str]:
    """Return what was asked for, with names of files instead of their places."""
    words = ["score", options.pairs.name]
    for name, path in _named(options):
        words += ["--against", f"{name}={path.name}"]
    for name in ("primary", "claim", "normalise"):
        words += [f"--{name}", getattr(options, name)]
    if options.train_text is not None:
        words += ["--train-text", options.train_text.name]
    return [*words, *(["--no-lm"] if options.no_lm else [])]


def _named(options: Namespace) -> list[tuple[str, Path]]:
    """Return the files of other inputs by name.

    Raises:
        UsageError: two have one name.
    """
    found: dict[str, Path] = {}
    for given in (one for several in options.against for one in several):
        name, is_named, rest = given.partition("=")
        path = Path(rest if is_named else given)
        name = name if is_named else path.stem
        if not name or name in found:
            raise UsageError(f"--against: got {given!r}, wanted a name of its own for each file")
        found[name] = path
    return list(found.items())


def _controls(options: Namespace, pairs: list[Pair], how: Normalisation) -> dict[str, list[Pair]]:
    from tools.evaluation.pairs import matched, normalised, read_pairs

    found = {}
    for name, path in _named(options):
        others, _ = normalised(read_pairs(path), how)
        found[name] = matched(pairs, others, where=str(path))
    return found
