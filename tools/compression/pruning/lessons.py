"""What a network goes on learning from, and what it is then judged on: texts, or trials.

Methods of pruning know no more of a bundle's data than this.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.spec import SlidingWindow
from tools.compression.ground import TaskGround, held_out_of
from tools.compression.pruning.asked import task_of
from tools.compression.pruning.trial_lessons import TrialLessons
from tools.compression.pruning.tuning import TaughtCtcLearner
from tools.recordings.digests import text_digest
from tools.training.heads import head_of
from tools.training.learner import CtcLearner

if TYPE_CHECKING:
    from pathlib import Path

    from models.bundle import Bundle
    from tools.compression.ground import Ground
    from tools.training.course import Course
    from tools.training.data.examples import Examples
    from tools.training.evaluation import HeldOut
    from tools.training.head import Exports
    from tools.training.learner import Learner
    from tools.training.recipe import Recipe
    from tools.training.tasks import Task


class Lessons(Protocol):
    """See the module."""

    @property
    def share(self) -> float:
        """Of the recipe's steps, and of its rate, that fine-tuning has where nobody says."""
        ...

    @property
    def kind(self) -> str:
        """``simulated`` or ``recorded``."""
        ...

    @property
    def data(self) -> dict[str, str]:
        """Name and SHA-256 of what is learnt from."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for everything in it that is left out."""
        ...

    @property
    def examples(self) -> Examples:
        """What the bundle was trained on, as it was then."""
        ...

    @property
    def validation(self) -> Examples | None:
        """The like of it that was not learnt from, where there is some."""
        ...

    def learner(self, recipe: Recipe, network: Any, *, teacher: Any | None) -> Learner:
        """Return a learner of ``network`` itself, which has the recipe's shape.

        It is taught by ``teacher`` too, where there is one and it is known how.
        """
        ...

    def exports(self, recipe: Recipe, network: Any) -> Exports:
        """Return the files of a network of the recipe's shape."""
        ...

    def ground(self, *, n_texts: int | None) -> Ground:
        """Return what errors are judged on: at most so many texts or trials.

        Raises:
            RecordingError: there is none that was not learnt from.
        """
        ...

    def notes(self, *, n_texts: int | None) -> tuple[str, ...]:
        """Return what is to be said of that."""
        ...


@dataclass(frozen=True)
class TextLessons:
    """The training of a bundle that writes text: it is made and split as it was then."""

    path: Path
    bundle: Bundle
    task: Task
    share: float = 0.25  # what is left is to be mended, not learnt anew

    @property
    def kind(self) -> str:
        """See the protocol."""
        return self.task.kind

    @property
    def data(self) -> dict[str, str]:
        """See the protocol."""
        return self.task.data

    @property
    def problems(self) -> tuple[str, ...]:
        """See the protocol."""
        return self.task.problems

    @property
    def examples(self) -> Examples:
        """See the protocol."""
        return self.task.examples

    @property
    def validation(self) -> Examples | None:
        """See the protocol."""
        return self.task.validation

    def learner(self, recipe: Recipe, network: Any, *, teacher: Any | None) -> Learner:
        """Return a learner; networks that write symbol by symbol have no teacher."""
        made = head_of(recipe.family).learner(recipe, self.task.heard)
        if teacher is not None and isinstance(made, CtcLearner):
            seed = recipe.training.seed
            return TaughtCtcLearner(network, made.settings, teacher=teacher, seed=seed)
        made.network = network
        return made

    def exports(self, recipe: Recipe, network: Any) -> Exports:
        """Return the files; see the protocol."""
        head, spec = head_of(recipe.family), self.bundle.manifest.pipeline
        return head.export(network, spec, self.task.example)

    def ground(self, *, n_texts: int | None) -> TaskGround:
        """Return the texts that were held out; see the protocol."""
        return TaskGround(self.path, self.bundle, self.task, self._held_out[:n_texts])

    def notes(self, *, n_texts: int | None) -> tuple[str, ...]:
        """Return a sentence where the bundle has learnt from what it is judged on."""
        learnt, judged = set(self.bundle.manifest.provenance.texts), self._held_out[:n_texts]
        n_seen = sum(text_digest(one.text) in learnt for one in judged)
        if not n_seen:
            return ()
        return (f"{n_seen} of these {len(judged)} texts were learnt from by the original.",)

    @cached_property
    def _held_out(self) -> list[HeldOut]:
        return held_out_of(self.task, n_texts=None)


def lessons_of(path: Path, bundle: Bundle, network: Any, course: Course) -> Lessons:
    """Return what the bundle at ``path`` goes on learning from, by the recipe of ``course``.

    Raises:
        UsageError: simulated and recorded data are mixed up.
        RecordingError: the recordings cannot be used, or are not what the bundle hears.
    """
    if isinstance(bundle.manifest.pipeline.window, SlidingWindow):
        return TextLessons(path, bundle, task_of(bundle, course))
    return TrialLessons(path, bundle, course.recipe, network, course.paths)
