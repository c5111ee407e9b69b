from __future__ import annotations

import numpy as np
import pytest
import torch

from models.gru_ctc import GruCtcSettings, build
from tools.training.data.example import Example
from tools.training.data.examples import UNKNOWN, collate
from tools.training.learner import CtcLearner, CtcLearnerSettings, collapse

SHAPE = GruCtcSettings(
    n_inputs=2, n_symbols=3, patch_samples=5, kernel_samples=10, n_features=4, features="power",
    n_hidden=6, n_layers=2,
)  # fmt: skip


@pytest.fixture
def learner() -> CtcLearner:
    return CtcLearner(build(SHAPE), CtcLearnerSettings(timing_delay_frames=1), seed=0)


def test_timing_is_learnt_only_where_it_is_known(learner: CtcLearner) -> None:
    frames = torch.randn(2, 4, 6)
    unknown = torch.full((2, 4), UNKNOWN)
    n_frames = torch.tensor([4, 4])
    assert learner.timing_loss(frames, unknown, n_frames) == 0
    known = unknown.clone()
    known[0, 1] = 2
    expected = -torch.log_softmax(learner.timing(frames[0, 2]), dim=0)[2] / 2
    torch.testing.assert_close(learner.timing_loss(frames, known, n_frames), expected)
    known[0, 1], known[0, 3] = UNKNOWN, 2  # its frame would come after the end
    assert learner.timing_loss(frames, known, n_frames) == 0
    known[0, 2], known[0, 3] = 2, UNKNOWN
    assert learner.timing_loss(frames, known, n_frames) > 0
    assert learner.timing_loss(frames, known, n_frames - 1) == 0, "padding is not learnt from"


def test_the_loss_is_the_mean_over_rows_of_what_each_gives_alone(learner: CtcLearner) -> None:
    rng = np.random.default_rng(0)
    rows = [
        Example(rng.standard_normal((n, 2)).astype(np.float32), labels, rng.integers(0, 3, n))
        for n, labels in ((40, (1, 2, 1)), (70, ()), (25, (2,)))
    ]
    whole = learner.loss(collate(rows, patch_samples=5), progress=0.0)
    alone = [learner.loss(collate([row], patch_samples=5), progress=0.0) for row in rows]
    torch.testing.assert_close(whole, torch.stack(alone).mean())
    assert set(learner.parts) == {"ctc", "timing"}


def test_repeats_on_a_path_are_one_symbol_and_blanks_none() -> None:
    assert collapse([0, 1, 1, 0, 1, 2, 2, 0, 0]) == [1, 1, 2]
    assert collapse([]) == []


def test_validation_counts_errors_of_the_greedy_reading(learner: CtcLearner) -> None:
    samples = np.zeros((20, 2), np.float32)
    batch = collate([Example(samples, (1, 2)), Example(samples, (2,))], patch_samples=5)
    with torch.no_grad():
        learner.network.head.bias[:] = torch.tensor([0.0, 0.0, 99.0])
        measured = learner.measure(batch)
        learner.network.head.bias[0] = 999.0
        silent = learner.measure(batch)
    assert measured["cer"] == 1 / 3
    assert silent["cer"] == 1.0
    assert measured["loss"] < silent["loss"]
