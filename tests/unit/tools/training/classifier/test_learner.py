from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.eegnet import EegNet, EegNetSettings
from tools.training.classifier.learner import ClassifierLearner, ClassifierSettings, TrialExamples
from tools.training.data.augment import Augmentation
from tools.training.data.trial_windows import TrialWindows


def windows_of(labels: list[int], *, scale: float = 10.0) -> TrialWindows:
    samples = scale * np.random.default_rng(0).standard_normal((len(labels), 64, 2))
    index = np.arange(len(labels))
    return TrialWindows(samples.astype(np.float32), np.array(labels), index, 0 * index)


def examples_of(windows: TrialWindows, *, noise: float = 0.0, n_batch: int = 3) -> TrialExamples:
    return TrialExamples(
        windows, n_batch=n_batch, seed=1, augmentation=Augmentation(noise=noise),
        rate_hz=100.0, n_channels=2,
    )  # fmt: skip


def learner_of(windows: TrialWindows, *, n_symbols: int, smoothing: float) -> ClassifierLearner:
    network = EegNet(EegNetSettings(n_inputs=2, n_symbols=n_symbols, n_samples=64))
    settings = ClassifierSettings(smoothing=smoothing)
    return ClassifierLearner(network, settings, windows=windows).eval()


def test_an_epoch_sees_every_window_once_and_the_next_in_another_order() -> None:
    windows = windows_of(list(range(6)))
    examples = examples_of(windows)
    epochs = [
        np.concatenate([examples.batch(step, progress=0.0).labels for step in pair])
        for pair in ((0, 1), (2, 3))
    ]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()


def test_a_batch_is_a_function_of_its_step_and_rows_are_its_rows() -> None:
    examples = examples_of(windows_of(list(range(6))), noise=1.0)
    whole, again = (examples.batch(1, progress=p) for p in (0.0, 0.7))
    np.testing.assert_array_equal(whole.samples, again.samples)
    part = examples.batch(1, progress=0.0, rows=slice(1, None, 2))
    np.testing.assert_array_equal(part.samples, whole.samples[1::2])
    np.testing.assert_array_equal(part.labels, whole.labels[1::2])


def test_a_batch_is_never_larger_than_all_there_is() -> None:
    assert examples_of(windows_of([0, 1]), n_batch=64).n_batch == 2


def test_the_scale_of_the_windows_becomes_the_network_s() -> None:
    learner = learner_of(windows_of([0, 1] * 50, scale=25.0), n_symbols=2, smoothing=0.0)
    np.testing.assert_allclose(learner.network.scale.numpy(), 25.0, rtol=0.05)


def test_the_loss_of_symbols_is_smoothed_cross_entropy() -> None:
    windows = windows_of([0, 1, 2, 1])
    learner = learner_of(windows, n_symbols=3, smoothing=0.2)
    batch = examples_of(windows, n_batch=4).batch(0, progress=0.0)
    scores = learner.network(torch.from_numpy(batch.samples))[:, 0]
    wanted = functional.cross_entropy(scores, torch.from_numpy(batch.labels), label_smoothing=0.2)
    torch.testing.assert_close(learner.loss(batch, progress=0.0), wanted)


def test_of_stimuli_the_prior_is_added_while_learning() -> None:
    windows = windows_of([1, 0, 0, 0])
    learner = learner_of(windows, n_symbols=1, smoothing=0.0)
    batch = examples_of(windows, n_batch=4).batch(0, progress=0.0)
    odds = learner.network(torch.from_numpy(batch.samples))[:, 0, 0] + math.log(1 / 3)
    labels = torch.from_numpy(batch.labels).float()
    wanted = functional.binary_cross_entropy_with_logits(odds, labels)
    torch.testing.assert_close(learner.loss(batch, progress=0.0), wanted)
    wrong = ((odds > 0) != (labels > 0)).float().mean()
    assert float(learner.measure(batch)["error"]) == float(wrong)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_refuses_a_smoothing_out_of_range(smoothing: float) -> None:
    with pytest.raises(ValueError, match="smoothing"):
        ClassifierSettings(smoothing=smoothing)
