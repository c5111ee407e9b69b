from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from models.families import build
from pipeline.errors import UsageError
from tests.ssvep_recordings import write_layout
from tests.unit.tools.training.p300_session import write_p300_layout, write_p300_session
from tools.recordings.layout import read_layout
from tools.training.classifier.course import read_trials
from tools.training.classifier.fit import fit, held_out_scores, is_classifier, shape_of, trial_spec
from tools.training.classifier.scores import area_under_curve, figures_of, folds_of, letters_right
from tools.training.recipe import Recipe, read_recipe

SMALL = {
    "training.n_steps": 40, "training.rate": 1e-2, "network.patch_s": 0.02, "network.pool_s": 0.06,
    "network.n_temporal": 2, "network.n_pointwise": 4, "data.n_batch": 32, "signal.line_hz": 40.0,
}  # fmt: skip


def recipe_of(**changes: object) -> Recipe:
    return read_recipe("eegnet-p300", SMALL | changes)


def p300_of(tmp_path: Path, recipe: Recipe, text: str = "ADBC", **options: object):  # type: ignore[no-untyped-def]
    path = write_p300_session(tmp_path / "p.npy", text=text, **options)
    return read_trials([path], read_layout(write_p300_layout(tmp_path / "l.layout")), recipe)


def test_a_response_is_read_from_letters_never_seen(tmp_path: Path) -> None:
    spec, windows = p300_of(tmp_path, recipe_of())
    folds = folds_of(windows, seed=0)
    scores = held_out_scores(windows, folds, recipe_of(), spec)
    figures = figures_of(scores, windows, folds, spec)
    assert figures["area_under_curve"] > 0.9
    assert figures["accuracy"] == 1.0
    assert (figures["n_trials"], figures["n_symbols"]) == (4, 4)


def test_without_a_response_there_is_nothing_to_read(tmp_path: Path) -> None:
    spec, windows = p300_of(tmp_path, recipe_of(), amplitude=0.0)
    folds = folds_of(windows, seed=0)
    scores = held_out_scores(windows, folds, recipe_of(), spec)
    assert 0.3 < figures_of(scores, windows, folds, spec)["area_under_curve"] < 0.7


def test_the_same_fit_gives_the_same_weights(tmp_path: Path) -> None:
    recipe = recipe_of(**{"training.n_steps": 4, "data.augment.noise": 0.5})
    spec, windows = p300_of(tmp_path, recipe, n_rounds=3)
    one, other = (fit(windows, recipe, spec).state_dict() for _ in range(2))
    assert all(torch.equal(other[name], tensor) for name, tensor in one.items())


def test_a_stimulus_s_score_is_evidence_without_the_prior(tmp_path: Path) -> None:
    recipe = recipe_of(**{"training.n_steps": 80})
    spec, windows = p300_of(tmp_path, recipe, amplitude=0.0)
    from tools.training.classifier.fit import score

    scores = score(fit(windows, recipe, spec), windows)
    assert abs(float(np.median(scores))) < 1.5  # there is nothing to read: no evidence either way


def test_only_classifiers_read_trials(tmp_path: Path) -> None:
    spec, _ = p300_of(tmp_path, recipe_of(), n_rounds=1)
    assert is_classifier(recipe_of())
    assert not is_classifier(read_recipe("gru-ctc"))
    with pytest.raises(UsageError, match="gru-ctc reads no trials"):
        shape_of(read_recipe("gru-ctc"), spec)
    with pytest.raises(UsageError, match=r"network\.n_samples: no such key"):
        shape_of(recipe_of(**{"network.n_samples": 3}), spec)


@pytest.mark.parametrize("kind", ["ssvep", "p300"])
def test_the_recipes_that_ship_can_be_followed(tmp_path: Path, kind: str) -> None:
    recipe = read_recipe(f"eegnet-{kind}")
    write = write_layout if kind == "ssvep" else write_p300_layout
    layout = read_layout(write(tmp_path / "l.layout"))
    spec = trial_spec(recipe, layout, rate_hz=250.0, channels=("C3", "C4"))
    network = build(recipe.family, msgspec.to_builtins(shape_of(recipe, spec)))
    with torch.no_grad():
        scores = network(torch.randn(1, spec.window.length_samples, 2))
    assert scores.shape == (1, 1, 6 if kind == "ssvep" else 1)


def test_a_window_without_a_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"window\.window_s: got 0\.0"):
        p300_of(tmp_path, recipe_of(**{"window.window_s": 0.0}))


def test_the_area_under_the_curve_by_counting() -> None:
    scores, attended = np.array([3.0, 1.0, 2.0, 2.0]), np.array([True, False, True, False])
    assert area_under_curve(scores, attended) == (1 + 1 + 1 + 0.5) / 4
    assert np.isnan(area_under_curve(scores, np.ones(4, bool)))


def test_letters_are_right_where_their_groups_have_most_evidence(tmp_path: Path) -> None:
    spec, windows = p300_of(tmp_path, recipe_of(), text="AD", n_rounds=1)
    truth = windows.labels.astype(np.float64)
    assert letters_right(truth, windows, spec).tolist() == [True, True]
    assert letters_right(-truth, windows, spec).tolist() == [False, False]
