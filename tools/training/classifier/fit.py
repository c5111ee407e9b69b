"""A classifier fitted to windows by a recipe, and its scores of windows it never saw."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch

from models.classifier import Classifier, ClassifierSettings
from models.families import build, network_class
from pipeline.design_band import design
from pipeline.errors import UsageError
from pipeline.spec import EventWindow, PipelineSpec, SelectionDecoder
from tools.recordings.layout import P300Layout, SsvepLayout
from tools.training.classifier.learner import ClassifierLearner, TrialExamples
from tools.training.classifier.learner import ClassifierSettings as LearnerSettings
from tools.training.head import Heard, network_settings
from tools.training.loop import train
from tools.training.recipe import convert

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tools.recordings.layout import Layout
    from tools.training.data.trial_windows import TrialWindows
    from tools.training.metrics import Row
    from tools.training.observer import Observer
    from tools.training.recipe import Recipe

FLASH = "stim:<group>"

N_SCORED = 64
"""Windows that are scored at a time."""


def is_classifier(recipe: Recipe) -> bool:
    """Say whether a recipe is one for windows of trials."""
    made = network_class(recipe.family)
    return isinstance(made, type) and issubclass(made, Classifier)


def trial_spec(
    recipe: Recipe, layout: Layout, *, rate_hz: float, channels: tuple[str, ...]
) -> PipelineSpec:
    """Return the pipeline: the recipe's filters, one window of ``window.window_s`` a stimulus.

    Raises:
        UsageError: a layout of another kind, or a recipe that contradicts itself.
    """
    signal, length_s = recipe.signal, recipe.window.window_s
    if length_s is None or not 0.0 < length_s <= 60.0:
        raise UsageError(f"recipe: window.window_s: got {length_s}, wanted seconds, at most 60")
    n_samples = round(length_s * rate_hz)
    decoder = convert(recipe.decoder, SelectionDecoder, where="recipe", path="decoder")
    if isinstance(layout, SsvepLayout):
        decoder = msgspec.structs.replace(decoder, scores="symbol", max_stimuli=1)
        offset, groups = round(layout.response_delay_s * rate_hz), {}
        foreign = not layout.stimulus.startswith("stim:")
        markers = {layout.stimulus: "stim:on"} if foreign else {}
    elif isinstance(layout, P300Layout):
        if layout.stimulus != FLASH:
            raise UsageError(f"layout: stimulus is {layout.stimulus!r}, wanted {FLASH!r}")
        decoder = msgspec.structs.replace(decoder, scores="stimulus")
        offset, groups, markers = 0, layout.groups, {}
    else:
        raise UsageError("--layout: is one of imagery, wanted ssvep or p300")
    window = EventWindow(
        offset_samples=offset, length_samples=n_samples, checkpoints_samples=(n_samples,)
    )
    bands = tuple(
        msgspec.structs.replace(band, notch_hz=band.notch_hz or signal.line_hz)
        for band in signal.bands
    )
    try:
        return design(
            PipelineSpec(
                rate_hz=rate_hz,
                channels=channels,
                reference=signal.reference,
                bands=bands,
                normalise=signal.normalise,
                window=window,
                decoder=decoder,
                vocabulary=layout.vocabulary,
                groups=groups,
                markers=markers,
            )
        )
    except ValueError as error:
        raise UsageError(f"recipe: signal: {error}") from None


def shape_of(recipe: Recipe, spec: PipelineSpec) -> ClassifierSettings:
    """Return the network's shape: the recipe's for windows of ``spec``.

    Raises:
        UsageError: a family or a key that is not for windows of trials.
    """
    if not is_classifier(recipe):
        raise UsageError(f"family: {recipe.family} reads no trials, wanted one such as eegnet")
    for key in ("n_samples", "rate_hz"):
        if key in recipe.network:
            raise UsageError(f"recipe: network.{key}: no such key, the data decide it")
    shape = network_settings(recipe, Heard(spec.rate_hz, spec.channels, (), has_lm=False))
    if not isinstance(shape, ClassifierSettings) or not isinstance(spec.window, EventWindow):
        raise TypeError("wanted the settings of a classifier and an event window")
    decided = {
        "n_samples": spec.window.length_samples,
        "n_symbols": 1 if spec.groups else len(spec.vocabulary),
        "rate_hz": spec.rate_hz,
    }
    known = {k: v for k, v in decided.items() if k in shape.__struct_fields__}
    return msgspec.structs.replace(shape, **known)


def fit(
    windows: TrialWindows,
    recipe: Recipe,
    spec: PipelineSpec,
    *,
    folder: Path | None = None,
    observer: Observer | None = None,
    on_step: Callable[[int], None] | None = None,
    on_rows: Callable[[list[Row]], None] | None = None,
) -> Classifier:
    """Return a network that has learnt from ``windows``, by all steps of the recipe.

    ``folder`` keeps the training on its way; without one nothing is kept.

    Raises:
        UsageError: the recipe does not fit, or the folder holds another training.
    """
    shape = shape_of(recipe, spec)
    network = build(recipe.family, msgspec.to_builtins(shape), seed=recipe.training.seed)
    if not isinstance(network, Classifier):
        raise TypeError("wanted a classifier")
    settings = convert(recipe.learner, LearnerSettings, where="recipe", path="learner")
    learner = ClassifierLearner(network, settings, windows=windows)
    examples = TrialExamples(
        windows,
        n_batch=recipe.data.n_batch,
        seed=recipe.training.seed,
        augmentation=recipe.data.augment,
        rate_hz=spec.rate_hz,
        n_channels=len(spec.channels),
    )
    parts = (recipe.family, shape, settings, recipe.data, windows.labels.tolist())
    samples_sum = float(windows.samples.sum(dtype=np.float64))
    with tempfile.TemporaryDirectory() as scratch:
        train(
            learner,
            examples,
            recipe.training,
            folder=folder or Path(scratch),
            identity=f"{msgspec.json.encode(parts).decode()}{samples_sum!r}",
            observer=observer,
            on_step=on_step,
            on_rows=on_rows,
        )
    return network.eval()


def score(network: Classifier, windows: TrialWindows) -> NDArray[np.float64]:
    """Return the scores (n, V) of ``windows``."""
    batches = torch.split(torch.from_numpy(windows.samples), N_SCORED)
    with torch.no_grad():
        found = [network(batch)[:, 0].double() for batch in batches]  # (B, V)
    return np.asarray(torch.cat(found).numpy())


def held_out_scores(
    windows: TrialWindows,
    folds: NDArray[np.intp],
    recipe: Recipe,
    spec: PipelineSpec,
    *,
    on_done: Callable[[int], None] = lambda _: None,
) -> NDArray[np.float64]:
    """Return each window's scores (n, V) by a network that learnt from the other folds."""
    scores = np.empty((len(windows), 1 if spec.groups else len(spec.vocabulary)))
    for n_done, fold in enumerate(np.unique(folds), start=1):
        network = fit(windows[folds != fold], recipe, spec)
        scores[folds == fold] = score(network, windows[folds == fold])
        on_done(n_done)
    return scores
