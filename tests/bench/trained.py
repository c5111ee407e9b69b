"""Bundles that benches begin with: trained on the simulated person once, and kept with results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.training import checkpoint
from tools.training.course import Course, complete, make_task
from tools.training.outcome import write_bundle_of
from tools.training.recipe import read_recipe

GRU = (
    "gru-ctc",
    {"network.n_hidden": 384, "network.n_layers": 2, "training.keep_early": 100},
)
"""The recurrent network of most benches: two layers of 384, its early weights kept."""


def trained(path: Path, recipe: str, changes: dict[str, Any], *, n_threads: int = 1) -> Path:
    """Return the bundle at ``path``, trained now where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = read_recipe(recipe, changes)
        folder = path.with_name(f"{path.name}.training")
        course = Course(found, (), folder, n_threads=n_threads)
        task = make_task(course, arpa=None)
        write_bundle_of(path, complete(course, task).network, course, task)
        checkpoint.remove(course.folder)
    return path
