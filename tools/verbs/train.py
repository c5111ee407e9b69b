"""``eegscribe train``: a network from labelled recordings, or from the simulated person."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.packaging.output import check_writable

if TYPE_CHECKING:
    from argparse import Namespace

    from models.bundle import Bundle
    from tools.training.recipe import Recipe
    from tools.training.report import Report

EXAMPLE = """examples:
  eegscribe train monday.xdf tuesday.xdf --recipe gru-ctc --out person.eegb
  eegscribe train --simulate --recipe gru-ctc --threads 2 --curve 1,5,15 --out demo.eegb
  eegscribe train --simulate --recipe mine.toml --set network.n_hidden=256 --out mine
  eegscribe train run1.xdf run2.xdf --recipe eegnet-ssvep --layout keys.json --out ada.eegb

Recordings need text:<string> and text:end markers; with --layout, trials and label: markers. A
training that was killed goes on where it was when the same command is given again. Beside the
bundle B come B.report.json and B.metrics.jsonl."""

OVERRIDES = {
    "steps": "training.n_steps",
    "batch": "data.n_batch",
    "seed": "training.seed",
    "snr_db": "data.simulated.snr_db",
    "line_hz": "signal.line_hz",
}


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "train",
        help="train a network on labelled recordings",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("recordings", nargs="*", type=Path, metavar="DATA", help="XDF, FIF, EDF, …")
    add("--simulate", action="store_true", help="sessions of the simulated person")
    add("--recipe", default="gru-ctc", help="name, or a .toml file (%(default)s)")
    add("--out", type=Path, required=True, help="folder or .eegb file")
    add("--force", action="store_true", help="replace the bundle if it is there")
    add("--layout", type=Path, help="of trials, for a recipe that reads selections")
    add("--lm", type=Path, help="ARPA language model over characters")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a key of the recipe")
    add("--steps", type=int, help="of descent, over the recipe's")
    add("--minutes", type=float, help="as many steps as fit, by the time the first few take")
    add("--batch", type=int, help="examples a step, over the recipe's")
    add("--seed", type=int, help="of weights and order, over the recipe's")
    add("--snr-db", type=float, help="of simulated sessions, over the recipe's")
    add("--line-hz", type=float, help="mains frequency, over the recipe's")
    add("--cache", type=Path, metavar="FOLDER", help="keep filtered recordings there")
    add("--curve", metavar="M,M", help="report errors after so many minutes of training too")
    add("--devices", type=int, default=1, help="processes or GPUs (%(default)s)")
    add("--accelerator", choices=("cpu", "cuda"), default="cpu", help="(%(default)s)")
    add(
        "--threads",
        type=int,
        default=1,
        help="in each process: one makes batches, the others compute (%(default)s)",
    )
    add("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from dataclasses import replace

    from tools.training import checkpoint
    from tools.training.classifier.fit import is_classifier
    from tools.training.course import Course, complete, make_task, planned
    from tools.training.outcome import write_outcome
    from tools.training.recipe import parse_changes, read_recipe

    _check(options)
    changes = parse_changes(options.set)
    for name, key in OVERRIDES.items():
        if getattr(options, name) is not None:
            changes[key] = getattr(options, name)
    recipe = read_recipe(options.recipe, changes)
    if is_classifier(recipe):
        return _run_trials(options, recipe)
    if options.layout is not None:
        raise UsageError(f"--layout: recipe {options.recipe} writes text, wanted one for trials")
    course = Course(
        recipe,
        tuple(options.recordings),
        options.out.with_name(f"{options.out.name}.training"),
        cache=options.cache,
        accelerator=options.accelerator,
        n_devices=options.devices,
        n_threads=options.threads,
        keep_at_min=_minutes(options.curve),
        is_json=options.json,
    )
    task = make_task(course, arpa=None if options.lm is None else options.lm.read_bytes())
    for line in task.problems:
        print(f"left out: {line}", file=sys.stderr)
    if options.minutes is not None:
        course = replace(course, recipe=planned(course, task, minutes=options.minutes))
    learner = complete(course, task)
    report = write_outcome(options.out, learner, course, task)
    checkpoint.remove(course.folder)
    _tell(options, report)
    return 0


def _run_trials(options: Namespace, recipe: Recipe) -> int:
    """Train a classifier of trials.

    Raises:
        UsageError: an option is missing, or is for networks that write text.
    """
    from tools.training.classifier.course import TrialCourse, train_trials
    from tools.training.classifier.scores import report_lines

    if options.layout is None or not options.recordings:
        raise UsageError(f"--recipe {options.recipe}: wanted recordings and --layout with it")
    for name in ("lm", "minutes", "curve", "cache"):
        if getattr(options, name) is not None:
            raise UsageError(f"--{name}: is not for a recipe that reads trials")
    if options.devices > 1 or options.accelerator != "cpu":
        raise UsageError("--devices, --accelerator: are not for a recipe that reads trials")
    course = TrialCourse(
        recipe, tuple(options.recordings), options.layout, options.out, options.threads
    )
    figures = train_trials(course)
    if options.json:
        print(json.dumps({"type": "summary", **figures}))
    else:
        print("\n".join(report_lines(figures)))
        print(f"{options.out}: written ({figures['sha256'][:12]})")
    return 0


def _check(options: Namespace) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: names the option.
    """
    if options.simulate == bool(options.recordings):
        raise UsageError("train: wanted either recordings or --simulate")
    for name, least in {"steps": 1, "batch": 1, "devices": 1, "threads": 1, "seed": 0}.items():
        value = getattr(options, name)
        if value is not None and value < least:
            raise UsageError(f"--{name}: got {value}, wanted {least} or more")
    if options.minutes is not None:
        if options.steps is not None:
            raise UsageError("--minutes: wanted without --steps")
        if not (math.isfinite(options.minutes) and options.minutes > 0):
            raise UsageError(f"--minutes: got {options.minutes}, wanted more than 0")
    if options.out.exists() and not options.force:
        raise UsageError(f"--out {options.out}: exists, wanted a new name (or --force)")
    check_writable(options.out)
    if options.lm is not None and not options.lm.is_file():
        raise UsageError(f"--lm {options.lm}: no such file")


def _minutes(text: str | None) -> tuple[float, ...]:
    """Return the minutes of ``--curve``.

    Raises:
        UsageError: not positive numbers between commas.
    """
    try:
        minutes = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        minutes = (0.0,)
    if not all(math.isfinite(m) and m > 0 for m in minutes):
        raise UsageError(f"--curve: got {text!r}, wanted minutes such as 1,5,15")
    return minutes


def _tell(options: Namespace, report: Report | None) -> None:
    from models.bundle import load_bundle
    from tools.training.report import report_path, table

    bundle: Bundle = load_bundle(options.out)
    if options.json:
        summary = {
            "type": "summary",
            "out": str(options.out),
            "sha256": bundle.sha256,
            "report": str(report_path(options.out)) if report else None,
            "scores": bundle.manifest.evaluation.scores,
        }
        print(json.dumps(summary))
        return
    print(f"{options.out}: written")
    if report is not None:
        print(f"{report_path(options.out)}: written")
        print("\n".join(["", *table(report)]))
