"""``eegscribe train``: a GRU-CTC network from labelled recordings, or from the simulated person."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from runtime.synthesis import DEFAULT_SNR_DB
from tools.progress import progress
from tools.training import checkpoint
from tools.training.bundle import Origin, write_ctc_bundle
from tools.training.evaluation import evaluate_bundle

if TYPE_CHECKING:
    from argparse import Namespace

    from models.network import CtcNetwork
    from tools.training.tasks import Task

EXAMPLE = """examples:
  eegscribe train monday.xdf tuesday.xdf --out person.eegb
  eegscribe train --simulate --out demo.eegb

Recordings need text:<string> and text:end markers. A training that was killed goes on where it
was when the same command is given again."""


N_STEPS = 3500
N_HIDDEN = 192
REPORT_EVERY = 50


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "train",
        help="train a network on labelled recordings",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("recordings", nargs="*", type=Path, metavar="DATA", help="XDF, FIF, EDF, …")
    parser.add_argument("--simulate", action="store_true", help="sessions of the simulated person")
    parser.add_argument("--out", type=Path, required=True, help="folder or .eegb file")
    parser.add_argument("--force", action="store_true", help="replace the bundle if it is there")
    parser.add_argument("--lm", type=Path, help="ARPA language model over characters")
    parser.add_argument("--steps", type=int, default=N_STEPS, help="of descent (%(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="examples a step (%(default)s)")
    parser.add_argument(
        "--hidden", type=int, default=N_HIDDEN, help="units of the GRU (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (%(default)s)")
    parser.add_argument(
        "--snr-db", type=float, default=DEFAULT_SNR_DB, help="of simulated sessions"
    )
    parser.add_argument("--line-hz", type=float, default=50.0, help="mains frequency (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of torch (%(default)s)")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)


def run(options: Namespace) -> int:
    """Run the verb."""
    import torch

    from models.gru_ctc import build
    from tools.training.learner import CtcLearner
    from tools.training.loop import TrainSettings, train
    from tools.training.tasks import network_shape, recorded_task, simulated_task

    _check(options)
    torch.set_num_threads(options.threads)
    common = {
        "line_hz": options.line_hz,
        "n_batch": options.batch,
        "seed": options.seed,
        "arpa": None if options.lm is None else options.lm.read_bytes(),
    }
    if options.simulate:
        task = simulated_task(snr_db=options.snr_db, **common)
    else:
        task = recorded_task(options.recordings, **common)
    settings = TrainSettings(seed=options.seed, n_steps=options.steps)
    shape = network_shape(task, n_hidden=options.hidden)
    folder = options.out.with_name(f"{options.out.name}.training")
    losses: list[float] = []
    with progress("training", total=settings.n_steps) as bar:

        def on_step(done: int, loss: float) -> None:
            losses.append(loss)
            bar(done)
            if options.json and done % REPORT_EVERY == 0:
                print(json.dumps({"type": "step", "step": done, "loss": loss}), flush=True)

        learner = CtcLearner(build(shape, seed=options.seed), seed=options.seed)
        train(
            learner,
            task.examples,
            settings,
            folder=folder,
            identity=json.dumps([task.data, repr(shape)], sort_keys=True),
            on_step=on_step,
        )
    summary = _write(options, task, learner.network)
    checkpoint.remove(folder)
    summary["loss"] = losses[-1] if losses else None
    _report(options, summary)
    return 0


def _check(options: Namespace) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: names the option.
    """
    if options.simulate == bool(options.recordings):
        raise UsageError("train: wanted either recordings or --simulate")
    for name in ("steps", "batch", "hidden", "threads"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise UsageError(f"--{name}: got {getattr(options, name)}, wanted 1 or more")
    if options.seed < 0:
        raise UsageError(f"--seed: got {options.seed}, wanted 0 or more")
    if options.out.exists() and not options.force:
        raise UsageError(f"--out {options.out}: exists, wanted a new name (or --force)")
    if options.lm is not None and not options.lm.is_file():
        raise UsageError(f"--lm {options.lm}: no such file")


def _write(options: Namespace, task: Task, network: CtcNetwork) -> dict[str, Any]:
    """Write the bundle and return the summary."""
    digest = write_ctc_bundle(
        options.out,
        network,
        task.spec,
        origin=Origin(name=options.out.stem, data=task.data, readme=task.readme),
        example=task.example,
        arpa=task.arpa,
    )
    scores: dict[str, Any] = {}
    if task.held_out:
        with progress("scoring", total=len(task.held_out)) as bar:
            digest, scores = evaluate_bundle(options.out, task.held_out, on_done=bar)
    return {"type": "summary", "out": str(options.out), "sha256": digest, "scores": scores}


def _report(options: Namespace, summary: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(summary))
    else:
        print(f"{summary['out']}: written")
        for name, figures in summary["scores"].items():
            low, high = figures["cer_95"]
            print(
                f"  {name:8} CER {figures['cer']:.1%} (95 %: {low:.1%} to {high:.1%}) on "
                f"{figures['characters']} held-out characters"
            )
