"""A whole training from recipe and data to trained weights, in one process or several.

Processes are started anew and make the task for themselves; all that comes back is the checkpoint,
from which the first process then goes on, to find that nothing is left to do.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import torch

from pipeline.spec import Settings
from runtime.whole_file import write_whole
from tools.console.progress import progress
from tools.training import checkpoint
from tools.training.diagnostics.diagnostics import make_observer
from tools.training.fabric import Accelerator, launch, make_fabric
from tools.training.head import network_settings
from tools.training.heads import head_of
from tools.training.loop import check_resumable, train
from tools.training.tasks import Task, simulated_task

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from tools.training.learner import Learner
    from tools.training.metrics import Row
    from tools.training.recipe import Recipe

N_MEASURED = 8
N_WARM_UP = 3

SHARE_PLANNED = 0.95
"""Of the minutes asked for: steps are not all equally long."""


class Plan(Settings, frozen=True):
    """How many steps were found to fit in ``minutes``; kept, so that a resumed training agrees."""

    minutes: float
    n_steps: int


@dataclass(frozen=True, slots=True)
class Course:
    """What is asked for: ``paths`` of recordings, none for the simulated person.

    ``folder`` is where the training is kept on its way, ``cache`` where filtered recordings are.
    Of ``n_threads`` one makes batches while the others compute, or one does both by turns;
    with fewer processors than threads, those that compute wait for each other at every step.
    ``keep_at_min``: minutes of training at which weights are kept for the curve.
    """

    recipe: Recipe
    paths: tuple[Path, ...]
    folder: Path
    cache: Path | None = None
    accelerator: Accelerator = "cpu"
    n_devices: int = 1
    n_threads: int = 1
    keep_at_min: tuple[float, ...] = ()
    is_json: bool = False

    @property
    def diagnostics(self) -> Path:
        """Where diagnostics go: a folder beside that of the training, kept when this is removed."""
        return self.folder.with_suffix(".diagnostics")

    @property
    def n_computing(self) -> int:
        """How many threads torch may use."""
        return max(1, self.n_threads - 1)


def make_task(course: Course, *, arpa: bytes | None) -> Task:
    """Return the task of a course.

    Raises:
        UsageError: the recipe cannot be followed.
        RecordingError: a recording cannot be used.
    """
    if course.paths:
        from tools.training.recorded_task import recorded_task  # readers of every format

        return recorded_task(course.recipe, course.paths, arpa=arpa, cache=course.cache)
    return simulated_task(course.recipe, arpa=arpa)


def complete(course: Course, task: Task) -> Learner:
    """Train, or go on with it, and return the learner with its final weights.

    Raises:
        UsageError: the folder holds another training, or this machine lacks the devices.
        RecordingError: the checkpoint is damaged.
    """
    identity = _identity(course.recipe, task)
    check_resumable(course.folder, identity, course.recipe.training)
    if course.n_devices > 1:
        fabric = make_fabric(
            course.recipe.training.precision,
            accelerator=course.accelerator,
            n_devices=course.n_devices,
        )
        launch(fabric, partial(_work_apart, course=course))
    precision = course.recipe.training.precision
    return _work(make_fabric(precision, accelerator=course.accelerator), course, task)


def planned(course: Course, task: Task, *, minutes: float) -> Recipe:
    """Return the recipe with as many steps as fit in ``minutes`` here, by the time a few take.

    The number is written down before the first step: weights stay a function of what is kept.
    """
    path = course.folder / checkpoint.PLAN
    plan = msgspec.json.decode(path.read_bytes(), type=Plan) if path.is_file() else None
    if plan is None or plan.minutes != minutes:
        plan = Plan(minutes, max(1, round(60.0 * SHARE_PLANNED * minutes / _step_s(course, task))))
        course.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(plan))
    training = msgspec.structs.replace(course.recipe.training, n_steps=plan.n_steps)
    return msgspec.structs.replace(course.recipe, training=training)


def _step_s(course: Course, task: Task) -> float:
    """Return the seconds a step takes, after the first few."""
    settings = msgspec.structs.replace(
        course.recipe.training, n_steps=N_WARM_UP + N_MEASURED, patience=0, validate_every=0
    )
    learner = head_of(course.recipe.family).learner(course.recipe, task.heard)
    fabric = make_fabric(settings.precision, accelerator=course.accelerator)
    at: list[float] = []
    torch.set_num_threads(course.n_computing)
    with tempfile.TemporaryDirectory() as folder:
        train(
            learner,
            task.examples,
            settings,
            folder=Path(folder),
            identity="measured",
            fabric=fabric,
            on_step=lambda _: at.append(time.monotonic()),
        )
    taken = [after - before for before, after in itertools.pairwise(at[N_WARM_UP - 1 :])]
    return sum(taken) / len(taken)


def _work_apart(fabric: Fabric, course: Course) -> None:
    """Train in one of several processes."""
    _work(fabric, course, make_task(course, arpa=b""))


def _work(fabric: Fabric, course: Course, task: Task) -> Learner:
    torch.set_num_threads(course.n_computing)
    settings = course.recipe.training
    learner = head_of(course.recipe.family).learner(course.recipe, task.heard)
    is_first = fabric.is_global_zero
    observer = make_observer(course.recipe.diagnostics, course.diagnostics)

    def on_rows(rows: list[Row]) -> None:
        if course.is_json and is_first:
            for row in rows:
                print(json.dumps({"type": "step", **row}), flush=True)

    with progress("training", total=settings.n_steps) as bar:
        train(
            learner,
            task.examples,
            settings,
            folder=course.folder,
            identity=_identity(course.recipe, task),
            fabric=fabric,
            validation=task.validation,
            keep_at_min=course.keep_at_min,
            on_step=bar if is_first else None,
            on_rows=on_rows,
            observer=observer,
        )
    for alarm in observer.alarms:
        print(
            f"{course.diagnostics}: {alarm.kind} gradients of {alarm.part} at step {alarm.step}"
            f" ({alarm.rule})",
            file=sys.stderr,
        )
    return learner.cpu()  # export and report compute on the host


def _identity(recipe: Recipe, task: Task) -> str:
    """Return what stands for network, learner and examples: all of the recipe that they need."""
    spec = task.spec
    heard = (spec.rate_hz, spec.channels, spec.reference, spec.bands, spec.normalise, spec.window)
    shape = network_settings(recipe, task.heard)
    parts = (recipe.family, shape, recipe.learner, recipe.data, heard, spec.vocabulary, task.data)
    return msgspec.json.encode(parts).decode()
