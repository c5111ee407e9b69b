"""``eegscribe evaluate``: scores, controls and a verdict on a bundle, from recordings."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from tools.console.bundle_argument import BUNDLE_HELP, bundle_argument
from tools.console.progress import progress
from tools.console.trials import parse_trials

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from runtime.engine import Engine
    from tools.evaluation.evaluate import Evaluated
    from tools.evaluation.passes.decodings import Decodings

EXAMPLE = """examples:
  eegscribe evaluate ada.eegb run3.xdf --out report
  eegscribe evaluate ada.eegb run3.xdf --out report --controls full \\
      --trained-on run1.xdf run2.xdf --layout keys.json

Every recording goes through the chain that the daemon runs, as it is and with noise in place of the
EEG. The verdict is written into the bundle, unless --keep-bundle, --set, --trials or --controls
none is given; messages of a bundle that reads EEG then carry "verified": true."""

KEPT = (
    "primary",
    "interval",
    "wer",
    "cer",
    "itr",
    "rows",
    "distinct_references",
    "normalise",
    "controls",
    "rule",
    "reasons",
    "made_of",
)
"""What of the summary the bundle keeps: no text that was decoded."""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "evaluate",
        help="does a bundle read EEG? scores, controls and a verdict",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("bundle", type=bundle_argument, help=BUNDLE_HELP)
    add("recordings", type=Path, nargs="+", metavar="REC", help="labelled, not trained on")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the report")
    add(
        "--controls",
        choices=("none", "quick", "full"),
        default="quick",
        help="quick: noise of each kind once; full: three times, and training on it (%(default)s)",
    )
    add("--trials", help="decode and score only these of each recording, such as 0-3,5")
    add("--set", action="append", default=[], metavar="decoder.KEY=VALUE", help="decoder setting")
    add(
        "--normalise",
        choices=("none", "basic"),
        help="of texts; basic: lower case, ASCII punctuation deleted (basic)",
    )
    add("--subject", default="", help="whose recordings they are, where they do not say")
    add("--seed", type=int, default=0, help="of all that is drawn (%(default)s)")
    add("--train-text", type=Path, help="texts trained on, one a line")
    add("--trained-on", type=Path, nargs="+", metavar="REC", help="for full: calibrated on these")
    add("--layout", type=Path, help="for full: calibrated with this")
    add(
        "--noise-trained",
        type=bundle_argument,
        metavar="B",
        help="the same system, trained on noise",
    )
    add("--keep-bundle", action="store_true", help="leave the bundle as it is")
    add("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    from runtime.engine import parse_settings
    from tools.evaluation.edits import ERROR_NAMES
    from tools.evaluation.evaluate import Plan, evaluate
    from tools.evaluation.passes.batching import open_batching
    from tools.evaluation.passes.decodings import open_decodings
    from tools.evaluation.passes.overlap import read_texts
    from tools.evaluation.passes.shelf import Shelf
    from tools.evaluation.report.folder import check_folder
    from tools.evaluation.report.made_by import made_here
    from tools.recordings.digests import SIMULATED

    _check(options)
    trials, decoder = parse_trials(options.trials), parse_settings(options.set)
    check_folder(options.out)
    decodings = open_decodings(options.bundle, decoder=decoder)
    _check_head(options, decodings)
    with progress("reading", total=len(options.recordings)) as bar:
        shelf = Shelf(
            options.recordings,
            decodings.bundle,
            trials=trials,
            subject=options.subject,
            on_done=bar,
        )
    with tempfile.TemporaryDirectory(prefix="eegscribe-evaluate-") as folder:
        strangers, skipped = _strangers(options, decodings.bundle, decoder, Path(folder))
        plan = Plan(
            controls=options.controls,
            how=options.normalise or "basic",
            trials=trials,
            seed=options.seed,
            train_text=None if options.train_text is None else read_texts(options.train_text),
            strangers=strangers,
            batching=open_batching(options.bundle, decodings.bundle),
        )
        if not options.json:
            print(f"judged by: {ERROR_NAMES[decodings.unit]}, declared before anything is decoded")
        found = evaluate(shelf, decodings, plan, progress=progress)
    command = shlex.join(["eegscribe", *_words(options)])
    found.summary["made_of"] |= {**made_here(), "command": command, "skipped": skipped}
    provenance = decodings.bundle.bundle.manifest.provenance
    found.summary["simulated"] = SIMULATED in provenance.data or any(
        reel.is_simulated for reel in shelf.reels
    )
    found.summary["bundle"] = _into_bundle(options, decodings.bundle, found)
    _write(options.out, found)
    _tell(options, found)
    return 0


def _check(options: Namespace) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: names the option.
    """
    if options.seed < 0:
        raise UsageError(f"--seed: got {options.seed}, wanted 0 or more")
    is_full = options.controls == "full"
    for name in ("trained_on", "layout", "noise_trained"):
        if getattr(options, name) is not None and not is_full:
            raise UsageError(f"--{name.replace('_', '-')}: is for --controls full")
    if (options.trained_on is None) != (options.layout is None):
        raise UsageError("--trained-on, --layout: wanted both or none")


def _check_head(options: Namespace, decodings: Decodings) -> None:
    """Refuse options that are not for the bundle's head.

    Raises:
        UsageError: names the option.
    """
    name = decodings.bundle.bundle.manifest.name
    if decodings.unit == "selections":
        if options.normalise == "basic":
            raise UsageError(
                f"--normalise basic: the bundle {name!r} selects symbols, which are compared as"
                " they are"
            )
    elif options.trials is not None:
        raise UsageError(
            f"--trials: the bundle {name!r} reads running text, which has no trials; wanted a"
            " bundle that selects"
        )


def _strangers(
    options: Namespace, engine: Engine, decoder: Mapping[str, str], folder: Path
) -> tuple[dict[str, Engine], list[str]]:
    """Return bundles that were trained on noise, and a line for what is not done, and why."""
    from runtime.engine import open_engine
    from tools.evaluation.passes.noise_training import CONTROL, calibrated_on_noise, is_calibration

    if options.controls != "full":
        return {}, []
    if options.noise_trained is not None:
        other = open_engine(options.noise_trained, decoder=decoder)
        if (other.spec.channels, other.spec.rate_hz) != (engine.spec.channels, engine.spec.rate_hz):
            raise UsageError(
                f"--noise-trained {options.noise_trained}: has other channels or another rate than"
                f" {options.bundle}, wanted the same"
            )
        return {CONTROL: other}, []
    if not is_calibration(engine):
        why = "no network is trained here; train one on noise and give --noise-trained"
        return {}, [f"training on noise is not done: {why}"]
    if options.trained_on is None:
        why = "wanted --trained-on and --layout, which it was calibrated with"
        return {}, [f"training on noise is not done: {why}"]
    with progress("calibrating on noise"):
        other = calibrated_on_noise(
            engine,
            options.trained_on,
            options.layout,
            folder=folder,
            decoder=decoder,
            seed=options.seed,
        )
    return {CONTROL: other}, []


def _words(options: Namespace) -> list[str]:
    """Return what was asked for, with names of files instead of their places."""
    words = ["evaluate", options.bundle.name, *(path.name for path in options.recordings)]
    for name in ("controls", "trials", "normalise", "subject", "seed"):
        value = getattr(options, name)
        if value not in {None, ""}:
            words += [f"--{name}", str(value)]
    return [*words, *(word for text in options.set for word in ("--set", text))]


def _into_bundle(options: Namespace, engine: Engine, found: Evaluated) -> dict[str, Any]:
    """Write the verdict into the bundle where it is the bundle's own; say what became of it."""
    from tools.evaluation.verdict import put_verdict, why_not

    manifest = engine.bundle.manifest
    told: dict[str, Any] = {
        "name": manifest.name,
        "sha256": engine.bundle.sha256,
        "written": None,
        "kept_because": None,
    }
    changed = {
        "--keep-bundle": options.keep_bundle,
        "the decoder's settings are not its own": bool(options.set),
        "not all trials were looked at": options.trials is not None,
        "there was no control input": options.controls == "none",
    }
    reasons = [why for why, holds in changed.items() if holds]
    unwritable = why_not(options.bundle)
    if not reasons and unwritable is not None:
        reasons = [unwritable]
    if reasons:
        return told | {"kept_because": reasons[0]}
    summary = found.summary
    scores = {key: summary[key] for key in KEPT}
    digest = put_verdict(
        options.bundle,
        engine.bundle.sha256,
        verdict=found.judgement.verdict.verdict,
        scores=scores,
    )
    return told | {"written": digest}


def _write(out: Path, found: Evaluated) -> None:
    from msgspec import to_builtins

    from tools.evaluation.figures.decisions import decisions
    from tools.evaluation.figures.figures import figures
    from tools.evaluation.figures.operating_points import csv_of, sweep
    from tools.evaluation.report.folder import EVALUATION, ROWS, SWEEP, whole_folder
    from tools.evaluation.report.report import write_report
    from tools.evaluation.rows import write_rows

    unit, how = found.judgement.claim.unit, found.summary["normalise"]
    told = figures(found.rows, unit, how=how, trained=found.trained)
    more = {"trained_symbols": found.trained, "figures": to_builtins(told)}
    with whole_folder(out) as folder:
        write_rows(folder / ROWS, found.rows)
        text = json.dumps(found.summary | more, ensure_ascii=False, indent=1) + "\n"
        (folder / EVALUATION).write_text(text, encoding="utf-8")
        decided = decisions(found.rows, how=how)
        if decided.kept:
            (folder / SWEEP).write_bytes(csv_of(sweep(decided)))
        write_report(folder)


def _tell(options: Namespace, found: Evaluated) -> None:
    from tools.evaluation.telling import told_lines

    made_of = found.summary["made_of"]
    for fault in (*made_of["faults"], *made_of["skipped"]):
        print(f"eegscribe: {fault}", file=sys.stderr)
    if not options.json:
        print("\n".join(told_lines(found)))
        print(f"wrote {options.out}")
        return
    for row in found.summary["recordings"]:
        print(json.dumps({"type": "recording", **row}, ensure_ascii=False))
    print(json.dumps({**found.summary, "out": str(options.out)}, ensure_ascii=False))
