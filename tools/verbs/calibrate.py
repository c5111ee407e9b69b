"""``eegscribe calibrate``: fits a speller to one person, and says how far to trust it."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import RecordingError, UsageError
from tools.console.progress import progress
from tools.console.trials import check_trials, parse_trials
from tools.packaging.output import check_writable

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """example:
  eegscribe calibrate run1.xdf run2.xdf --paradigm ssvep --layout keys.json --out ada.eegb"""


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "calibrate",
        help="fit a speller to one person",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("recordings", type=Path, nargs="+", metavar="REC", help="labelled")
    parser.add_argument("--paradigm", required=True, choices=("ssvep", "p300", "imagery"))
    parser.add_argument("--layout", type=Path, required=True, help="what the labels stand for")
    parser.add_argument("--out", type=Path, required=True, help="folder, or a name.eegb file")
    parser.add_argument(
        "--max-s", type=float, help="seconds of EEG a symbol (1.0, or what is there)"
    )
    parser.add_argument("--trials", help="use only these of each recording, such as 0-3,5")
    parser.add_argument("--seed", type=int, default=0, help="of folds by trial and of shuffles")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    if options.paradigm != "ssvep":
        raise UsageError(f"--paradigm {options.paradigm}: not built yet, wanted ssvep")
    if options.max_s is not None and not (math.isfinite(options.max_s) and options.max_s > 0):
        raise UsageError(f"--max-s: got {options.max_s}, wanted seconds above 0")
    if options.seed < 0:
        raise UsageError(f"--seed: got {options.seed}, wanted 0 or more")
    trials = parse_trials(options.trials)

    from tools.calibration.bundle import write_calibration
    from tools.calibration.calibrate import N_SHUFFLES, calibrate_ssvep
    from tools.calibration.report import figures_of, report_lines
    from tools.recordings.digests import digests, parts_of, told_simulated
    from tools.recordings.layout import SsvepLayout, read_layout

    check_writable(options.out)
    layout = read_layout(options.layout)
    if not isinstance(layout, SsvepLayout):
        raise RecordingError(f"{options.layout}: is a layout of another kind, wanted ssvep")
    recordings = [_read(path, layout.stimulus) for path in options.recordings]
    for recording in recordings:
        check_trials(trials, n_trials=len(recording.trials), where=recording.name)
    with progress("calibrating", total=N_SHUFFLES + 2) as bar:
        calibration = calibrate_ssvep(
            recordings,
            layout,
            max_s=options.max_s,
            trials=trials,
            seed=options.seed,
            on_progress=bar,
        )
    figures = figures_of(calibration)
    digest = write_calibration(
        calibration,
        options.out,
        figures=figures,
        command=_command(options),
        data=digests([*(p for r in options.recordings for p in parts_of(r)), options.layout])
        | told_simulated(r.name for r in recordings if r.is_simulated),
    )
    if options.json:
        _print_json(figures, str(options.out), digest)
    else:
        print("\n".join(report_lines(figures)))
        print(f"wrote {options.out} ({digest[:12]})")
    return 0


def _command(options: Namespace) -> str:
    """Return what made the bundle, with names of files instead of their places."""
    words = ["eegscribe", "calibrate", *(path.name for path in options.recordings)]
    words += ["--paradigm", options.paradigm, "--layout", options.layout.name]
    for name in ("max_s", "trials", "seed"):
        value = getattr(options, name)
        if value is not None:
            words += ["--" + name.replace("_", "-"), str(value)]
    return shlex.join(words)


def _read(path: Path, stimulus: str) -> Any:
    from runtime.recordings.source import RecordingSource
    from tools.recordings.labelled_trials import read_recording

    return read_recording(RecordingSource(path), name=path.name, stimulus=stimulus)


def _print_json(figures: dict[str, Any], out: str, digest: str) -> None:
    for kind in ("folds", "lengths", "early"):
        for row in figures[kind]:
            print(json.dumps({"type": kind.removesuffix("s"), **row}))
    print(json.dumps({"type": "summary", "bundle": out, "sha256": digest, **figures}))
