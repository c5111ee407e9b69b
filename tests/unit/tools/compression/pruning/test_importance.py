"""Units that matter to the loss count for more than those that do not."""

from __future__ import annotations

import numpy as np
import torch

from models.families import build
from tools.compression.pruning.importance import magnitude, taylor
from tools.compression.pruning.units import groups_of
from tools.training.data.examples import Batch
from tools.training.learner import CtcLearner

SHAPE = {"n_inputs": 2, "n_symbols": 4, "n_features": 5, "n_hidden": 6, "n_layers": 1}


class OneBatch:
    n_batch = 2

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> Batch:
        samples = np.random.default_rng(step).standard_normal((2, 80, 2)).astype(np.float32)
        labels = np.array([1, 2, 3, 1])
        return Batch(samples, labels, np.array([8, 8]), np.array([2, 2]), np.zeros((2, 8), int))


def learner() -> CtcLearner:
    return CtcLearner(build("gru-ctc", SHAPE, seed=1), seed=0)


def test_a_unit_that_nobody_reads_is_worth_nothing() -> None:
    given = learner()
    groups = groups_of("gru-ctc", given.network.settings)
    with torch.no_grad():
        given.network.head.weight[:, 3] = 0.0
        given.timing.weight[:, 3] = 0.0
        given.network.gru.weight_hh_l0[:, 3] = 0.0
    scores = taylor(given, groups, OneBatch(), n_batches=2)
    assert scores["gru.0"][3] == 0.0
    assert (scores["gru.0"][[0, 1, 2, 4, 5]] > 0.0).all()
    assert all((score >= 0.0).all() for score in scores.values())


def test_scores_are_a_function_of_weights_and_batches() -> None:
    found = [
        taylor(
            one := learner(), groups_of("gru-ctc", one.network.settings), OneBatch(), n_batches=2
        )
        for _ in range(2)
    ]
    for name, scores in found[0].items():
        assert torch.equal(scores, found[1][name])


def test_taylor_is_the_gradient_of_a_gate() -> None:
    """Against a gate on what the head reads, by finite differences; nothing else reads there."""
    given = learner()
    given.eval()
    groups = groups_of("gru-ctc", given.network.settings)
    with torch.no_grad():
        given.network.gru.weight_hh_l0.zero_()
    given.settings = type(given.settings)(timing_weight=0.0)
    scores = taylor(given, groups, OneBatch(), n_batches=1)["gru.0"]
    batch, step = OneBatch().batch(0, progress=1.0), 1e-2
    for unit in range(6):
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                column = given.network.head.weight[:, unit].clone()
                given.network.head.weight[:, unit] *= 1 + sign * step
                losses.append(float(given.loss(batch, progress=1.0)))
                given.network.head.weight[:, unit] = column
        slope = (losses[0] - losses[1]) / (2 * step)
        assert abs(float(scores[unit]) - slope**2) < 2e-3 * max(1.0, slope**2)


def test_magnitude_is_the_length_of_all_of_a_units_weights() -> None:
    network = build("gru-ctc", SHAPE, seed=2)
    scores = magnitude(network, groups_of("gru-ctc", network.settings))
    weights = dict(network.named_parameters())
    rows = [k * 6 + 4 for k in range(3)]
    parts = [
        weights["gru.weight_ih_l0"][rows],
        weights["gru.weight_hh_l0"][rows],
        weights["gru.bias_ih_l0"][rows],
        weights["gru.bias_hh_l0"][rows],
        weights["gru.weight_hh_l0"][:, 4],
        weights["head.weight"][:, 4],
    ]
    wanted = sum(float(part.detach().square().sum()) for part in parts) ** 0.5
    assert abs(float(scores["gru.0"][4]) - wanted) < 1e-5
