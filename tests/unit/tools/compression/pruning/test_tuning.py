"""Fine-tuning goes on where it was, and learns from the original."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from models.families import build
from tools.compression.pruning.lessons import TextLessons
from tools.compression.pruning.masks import hold, smallest_out
from tools.compression.pruning.tuning import Onward, TaughtCtcLearner, Tuner
from tools.training.data.examples import Batch
from tools.training.head import Heard
from tools.training.learner import CtcLearnerSettings
from tools.training.recipe import Recipe
from tools.training.train_settings import TrainSettings

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = {"n_inputs": 2, "n_symbols": 4, "n_features": 5, "n_hidden": 6, "n_layers": 1}
HEARD = Heard(250.0, ("Cz", "Pz"), ("a", "b", "c"), has_lm=False)


class Noise:
    """Batches that are a function of their number; which were asked for is kept."""

    n_batch = 2

    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Batch:
        self.asked.append((step, progress))
        samples = np.random.default_rng(step).standard_normal((2, 80, 2)).astype(np.float32)
        n_frames = np.array([8, 5])
        on = np.zeros((2, 8), np.int64)
        return Batch(samples, np.array([1, 2, 3, 1]), n_frames, np.array([2, 2]), on)


class FakeTask:
    """What a tuner asks of a task."""

    heard = HEARD
    data: dict[str, str] = {}  # noqa: RUF012 - a stand-in's constant

    def __init__(self) -> None:
        self.examples = Noise()


def tuner(folder: Path, teacher: Any = None) -> Tuner:
    training = TrainSettings(n_steps=40, rate=1e-2, n_warm_up=1, checkpoint_every=2)
    shape = {name: value for name, value in SHAPE.items() if name not in {"n_inputs", "n_symbols"}}
    recipe = Recipe(family="gru-ctc", network=shape, training=training)
    task: Any = FakeTask()
    bundle: Any = None  # what is judged, and how it is written, is not asked for
    lessons = TextLessons(folder, bundle, task)
    return Tuner(recipe, lessons, folder, teacher=teacher)


def asked_of(tuner: Tuner) -> list[tuple[int, float]]:
    noise: Any = tuner.lessons.examples
    found: list[tuple[int, float]] = noise.asked
    return found


def network(seed: int) -> Any:
    return build("gru-ctc", SHAPE, seed=seed)


def test_a_tuning_that_was_killed_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = tuner(tmp_path / "whole").tune(network(1), name="tuned", n_steps=7, rate=1e-2)
    n_calls = 0

    def kill(_network: Any) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuner(tmp_path / "cut").tune(network(1), name="tuned", n_steps=7, rate=1e-2, hold=kill)
    again = tuner(tmp_path / "cut")
    found = again.tune(network(1), name="tuned", n_steps=7, rate=1e-2)
    assert min(step for step, _ in asked_of(again)) == 40 + 4
    for name, weight in found.state_dict().items():
        assert torch.equal(weight, whole.state_dict()[name])


def test_the_network_given_stays_and_another_comes_back(tmp_path: Path) -> None:
    given, same = network(1), network(1)
    found = tuner(tmp_path).tune(given, name="tuned", n_steps=2, rate=1e-2)
    for name, weight in given.state_dict().items():
        assert torch.equal(weight, same.state_dict()[name])
    assert not torch.equal(found.head.weight, given.head.weight)
    assert not found.training


def test_masks_hold_through_fine_tuning(tmp_path: Path) -> None:
    given = network(2)
    masks = smallest_out(given, 0.5)
    hold(given, masks)
    found = tuner(tmp_path, teacher=network(2)).tune(
        given, name="tuned", n_steps=3, rate=1e-1, hold=lambda one: hold(one, masks)
    )
    for name, mask in masks.items():
        weight = dict(found.named_parameters())[name]
        assert not weight[~mask].any()
    assert not torch.equal(found.head.weight, given.head.weight)


def test_a_pupil_that_is_its_teacher_has_nothing_to_learn_from_it() -> None:
    batch = Noise().batch(0, progress=1.0)
    pupils = [
        TaughtCtcLearner(network(seed), CtcLearnerSettings(), teacher=network(1), seed=0)
        for seed in (1, 2)
    ]
    apart = []
    for pupil in pupils:
        pupil.eval()
        pupil.loss(batch, progress=1.0)
        apart.append(float(pupil.parts["teacher"]))
        assert not any("teacher" in name for name in pupil.state_dict())
    assert abs(apart[0]) < 1e-6 < apart[1]


def test_what_stands_behind_a_rows_end_teaches_nothing() -> None:
    first, other = Noise().batch(0, progress=1.0), Noise().batch(0, progress=1.0)
    other.samples[1, 50:] = 7.0
    apart = []
    for batch in (first, other):
        pupil = TaughtCtcLearner(network(2), CtcLearnerSettings(), teacher=network(1), seed=0)
        pupil.eval()
        pupil.loss(batch, progress=1.0)
        apart.append(float(pupil.parts["teacher"]))
    assert apart[0] == pytest.approx(apart[1], abs=1e-6)


def test_examples_go_on_behind_the_training_and_stay_hard() -> None:
    noise = Noise()
    Onward(noise, 40).batch(3, progress=0.1)
    assert noise.asked == [(43, 1.0)]
