"""What a pruning begins with: what is asked, the recipe of the bundle, and the data behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pipeline.errors import BundleError, RecordingError, UsageError
from tools.compression.pruning.structured import parse_amounts
from tools.compression.pruning.tuning import of_network
from tools.training.course import make_task
from tools.training.recipe import Recipe
from tools.training.tasks import is_of_simulated_person

if TYPE_CHECKING:
    from pathlib import Path

    from models.bundle import Bundle
    from tools.compression.pruning.importance import Importance
    from tools.training.course import Course
    from tools.training.tasks import Task

Method = Literal["magnitude", "structured", "iterative", "sensitivity", "lottery"]

TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of a sensitivity curve."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; ``paths`` of recordings, none for the simulated person.

    ``n_steps`` of fine-tuning and its ``rate`` follow from the recipe where they are None; an
    iterative pruning divides the steps among its ``n_rounds``. ``n_texts`` bounds how many held-out
    texts are heard. ``is_scratch``: a network of the final size is trained from nothing for as many
    steps, to be compared.
    """

    bundle: Path
    out: Path
    method: Method
    amount: str
    paths: tuple[Path, ...] = ()
    importance: Importance = "taylor"
    n_batches: int = 8
    n_steps: int | None = None
    rate: float | None = None
    n_rounds: int = 3
    n_texts: int | None = None
    n_blocks: int = 20
    n_windows: int = 200
    is_scratch: bool = False
    cache: Path | None = None


def recipe_of(bundle: Bundle, network: Any | None) -> Recipe:
    """Return the recipe that the bundle's network was trained by, with its present shape, if known.

    Raises:
        BundleError: it has none, as it was not trained here.
    """
    name, found = bundle.manifest.name, bundle.manifest.provenance.recipe
    if not found:
        raise BundleError(f"{name}: provenance.recipe: got none, wanted a bundle made by train")
    try:
        recipe = msgspec.convert(found, Recipe)
        return recipe if network is None else of_network(recipe, network)
    except msgspec.ValidationError as error:
        raise BundleError(f"{name}: provenance.recipe: {error}") from None


def task_of(bundle: Bundle, course: Course) -> Task:
    """Return the task that goes on from where the bundle's training was.

    Raises:
        UsageError: simulated and recorded data are mixed up.
        RecordingError: recordings that the bundle's pipeline does not hear.
    """
    is_simulated = is_of_simulated_person(bundle.manifest.provenance.data)
    if is_simulated == bool(course.paths):
        wanted = "--simulate" if is_simulated else "recordings"
        raise UsageError(
            f"{bundle.manifest.name}: was trained on"
            f" {'the simulated person' if is_simulated else 'recordings'}, wanted {wanted}"
        )
    task = make_task(course, arpa=b"")
    for name in ("rate_hz", "channels", "vocabulary", "bands", "reference", "normalise", "window"):
        got, wanted = getattr(task.spec, name), getattr(bundle.manifest.pipeline, name)
        if got != wanted:
            raise RecordingError(
                f"{name} of the data: got {got}, the bundle {bundle.manifest.name} wants {wanted}"
            )
    return task


def check_amount(asked: Asked, family: str) -> None:
    """Refuse an amount that the method cannot follow, before anything long begins."""
    if asked.method == "magnitude":
        one_share(asked.amount)
    elif asked.method == "sensitivity":
        parse_shares(asked.amount)
    else:
        parse_amounts(asked.amount, family)


def one_share(text: str) -> float:
    """Return the share that ``--amount`` names.

    Raises:
        UsageError: it is no number in [0, 1).
    """
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 < share < 1.0:
        raise UsageError(f"--amount: got {text!r}, wanted a share above 0 and below 1")
    return share


def parse_shares(text: str) -> tuple[float, ...]:
    """Return the shares of ``0.1,0.3,0.5``, ascending; ``all`` for tenths.

    Raises:
        UsageError: another form, or a share that is not between 0 and 1.
    """
    if text == "all":
        return TENTHS
    return tuple(sorted({one_share(part) for part in text.split(",")}))
