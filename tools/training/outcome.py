"""What a training leaves: the bundle, its report, the figures of every step."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.engine import open_engine
from tools.console.progress import progress
from tools.evaluation.figures.couples import aligned, counts_by_symbol
from tools.training import checkpoint
from tools.training.bundle import Origin, write_trained
from tools.training.evaluation import GREEDY, evaluate, read
from tools.training.heads import head_of
from tools.training.listening import listen
from tools.training.report import Point, Report, report_path, write_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.training.course import Course
    from tools.training.evaluation import HeldOut
    from tools.training.learner import Learner
    from tools.training.tasks import Task

N_CURVE = 24
"""How many held-out texts a point of the curve is heard on."""


def write_bundle_of(path: Path, network: Any, course: Course, task: Task) -> str:
    """Write ``network`` as the bundle at ``path`` and return its digest.

    Raises:
        ExportError: the exported model does not compute what the network computes.
        BundleError: the result would be refused.
    """
    early = course.folder / checkpoint.EARLY
    return write_trained(
        path,
        network,
        head_of(course.recipe.family).export(network, task.spec, task.example),
        task.spec,
        recipe=course.recipe,
        origin=Origin(path.stem, task.data, task.readme, texts=task.seen),
        arpa=task.arpa,
        lexicon=task.lexicon,
        early=early.read_bytes() if early.is_file() else None,
    )


def write_outcome(path: Path, learner: Learner, course: Course, task: Task) -> Report | None:
    """Write bundle, report and figures beside each other; None where nothing was held out."""
    digest = write_bundle_of(path, learner.network, course, task)
    exam = task.exam()
    report = None
    if exam.held_out:
        with progress("scoring", total=len(exam.held_out)) as bar:
            digest, found = evaluate(
                path, exam.held_out, quiet=exam.quiet, training_texts=task.texts, on_done=bar
            )
        counters = checkpoint.load_counters(course.folder)
        report = Report(
            bundle=path.name,
            sha256=digest,
            family=course.recipe.family,
            data=task.kind,
            control_is=task.control_is,
            training_min=(counters.trained_s if counters else 0.0) / 60.0,
            n_steps=counters.step if counters else 0,
            readings=found.readings,
            control=found.control,
            baseline=found.baseline,
            truth_repeated=found.truth_repeated,
            silence=found.silence,
            curve=_curve(learner, course, task, exam.held_out[:N_CURVE]),
        )
        write_report(report_path(path), report)
    metrics = course.folder / checkpoint.METRICS
    if metrics.is_file():
        metrics.replace(path.with_name(f"{path.stem}.metrics.jsonl"))
    return report


def _curve(
    learner: Learner, course: Course, task: Task, sessions: Sequence[HeldOut]
) -> tuple[Point, ...]:
    """Return the errors of the weights that were kept on the way."""
    points: list[Point] = []
    for kept in sorted(course.folder.glob(checkpoint.KEPT)):
        network = copy.deepcopy(learner.network)
        network.load_state_dict(checkpoint.read_tensors(kept))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "then.eegb"
            write_bundle_of(path, network, course, task)
            engines = open_engine(path), open_engine(path, decoder=GREEDY)
            heard, greedy = (
                [listen(engine, session.samples) for session in sessions] for engine in engines
            )
        rate_hz = task.spec.rate_hz
        points.append(
            Point(
                minutes=float(kept.stem.removeprefix("minutes-")),
                cer=read(sessions, heard, rate_hz=rate_hz).cer,
                greedy_cer=read(sessions, greedy, rate_hz=rate_hz).cer,
                texts=len(sessions),
                symbols=counts_by_symbol(
                    couple
                    for session, one in zip(sessions, heard, strict=True)
                    for couple in aligned(session.text, one.transcript)
                ),
            )
        )
    return tuple(points)
