"""``train --layout``: a classifier of one person's trials, from recordings to a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from models.bundle import load_bundle, write_bundle
from models.export import run_calls
from models.export_classifier import export_classifier
from models.golden import GOLDEN, write_golden
from models.manifest import Evaluation
from pipeline.errors import RecordingError
from tools.console.progress import progress
from tools.recordings.digests import digests, parts_of
from tools.recordings.labelled_trials import check_alike, read_recording, read_whole
from tools.recordings.layout import P300Layout, read_layout
from tools.training import checkpoint
from tools.training.bundle import Origin, write_trained
from tools.training.classifier.fit import fit, held_out_scores, trial_spec
from tools.training.classifier.scores import confidence_of, figures_of, folds_of
from tools.training.data.trial_windows import TrialWindows, stimulus_windows, symbol_windows
from tools.training.diagnostics.diagnostics import make_observer
from tools.training.head import Exports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.classifier import Classifier
    from pipeline.spec import PipelineSpec
    from tools.recordings.layout import Layout
    from tools.training.recipe import Recipe

N_GOLDEN = 4

README = """# A classifier of one person's trials

It knows the person, the montage and the screen it was trained with, and nobody else. Its held-out
scores are in the manifest; what it is worth on anything else is for `eegscribe evaluate` to say.
"""


@dataclass(frozen=True, slots=True)
class TrialCourse:
    """What is asked for; ``folder`` is where the training is kept on its way."""

    recipe: Recipe
    paths: tuple[Path, ...]
    layout: Path
    out: Path
    n_threads: int = 1

    @property
    def folder(self) -> Path:
        """Where the last training is kept on its way."""
        return self.out.with_name(f"{self.out.name}.training")


def train_trials(course: TrialCourse) -> dict[str, Any]:
    """Measure on held-out folds, train on everything, write the bundle; return the figures.

    Raises:
        UsageError: the recipe cannot be followed.
        RecordingError: a recording or the layout cannot be used.
    """
    torch.set_num_threads(course.n_threads)
    recipe = course.recipe
    spec, windows = read_trials(course.paths, read_layout(course.layout), recipe)
    try:
        folds = folds_of(windows, seed=recipe.training.seed)
    except ValueError as error:
        raise RecordingError(f"{course.paths[0].name}: {error}") from None
    with progress("validating", total=len(np.unique(folds))) as bar:
        scores = held_out_scores(windows, folds, recipe, spec, on_done=bar)
    figures = figures_of(scores, windows, folds, spec)
    observer = make_observer(recipe.diagnostics, course.folder.with_suffix(".diagnostics"))
    with progress("training", total=recipe.training.n_steps) as bar:
        network = fit(windows, recipe, spec, folder=course.folder, observer=observer, on_step=bar)
    data = digests([*(part for path in course.paths for part in parts_of(path)), course.layout])
    write_trained(
        course.out,
        network,
        export(network),
        spec,
        recipe=recipe,
        origin=Origin(name=course.out.stem, data=data, readme=README),
        arpa=None,
    )
    bundle = load_bundle(course.out)
    manifest = msgspec.structs.replace(
        bundle.manifest,
        evaluation=Evaluation(scores=figures),
        confidence=confidence_of(scores, windows, spec),
    )
    digest = write_bundle(course.out, manifest, bundle.files)
    checkpoint.remove(course.folder)
    return {"bundle": str(course.out), "sha256": digest, **figures}


def read_trials(
    paths: Sequence[Path], layout: Layout, recipe: Recipe
) -> tuple[PipelineSpec, TrialWindows]:
    """Return the pipeline of the recipe, and the recordings' windows as it cuts them.

    Raises:
        UsageError: the recipe cannot be followed.
        RecordingError: a recording cannot be used, or they differ.
    """
    from runtime.recordings.source import RecordingSource  # readers of every format

    names = [path.name for path in paths]
    if isinstance(layout, P300Layout):
        wholes = [read_whole(RecordingSource(p), name=p.name) for p in paths]
        first = wholes[0]
        for whole, name in zip(wholes, names, strict=True):
            if (whole.rate_hz, whole.channels) != (first.rate_hz, first.channels):
                raise RecordingError(f"{name}: another rate or montage than {names[0]}'s")
        spec = trial_spec(recipe, layout, rate_hz=first.rate_hz, channels=first.channels)
        return spec, stimulus_windows(wholes, names, spec)
    stimulus = layout.stimulus
    recordings = [read_recording(RecordingSource(p), name=p.name, stimulus=stimulus) for p in paths]
    check_alike(recordings)
    rate_hz, channels = recordings[0].rate_hz, recordings[0].channels
    spec = trial_spec(recipe, layout, rate_hz=rate_hz, channels=channels)
    return spec, symbol_windows(recordings, spec)


def export(network: Classifier) -> Exports:
    """Return the network as files; golden vectors are made of noise of its scale, nobody's EEG."""
    exported = export_classifier(network)
    _, n_samples, n_inputs = exported.file.input.shape
    draw = np.random.default_rng(0).standard_normal((N_GOLDEN * n_samples, n_inputs))
    samples = (draw * network.scale.numpy()).astype(np.float32)
    outputs = run_calls(exported, samples).reshape(N_GOLDEN, *exported.file.output.shape[1:])
    golden = write_golden(samples.reshape(N_GOLDEN, n_samples, n_inputs), outputs)
    return Exports(exported.file, {exported.file.path: exported.data, GOLDEN: golden})
