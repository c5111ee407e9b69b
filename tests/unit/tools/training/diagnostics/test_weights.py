from __future__ import annotations

import torch

from tools.training.diagnostics.weights import N_BINS, histogram


def test_every_finite_weight_is_in_a_bin() -> None:
    weights = torch.tensor([[-2.0, 0.0, 1.0], [torch.nan, torch.inf, 2.0]])
    found = histogram([weights], step=3)
    assert (found.step, found.low, found.high) == (3, -2.0, 2.0)
    assert sum(found.counts) == 4
    assert len(found.counts) == N_BINS
    assert (found.counts[0], found.counts[-1]) == (1, 1)
    assert found.n_not_finite == 2
    assert abs(found.rms - 1.5) < 1e-6


def test_weights_that_are_all_alike_have_a_width_of_their_own() -> None:
    found = histogram([torch.ones(7)], step=0)
    assert found.low < 1.0 < found.high
    assert sum(found.counts) == 7


def test_of_a_part_with_matrices_gains_and_biases_do_not_count() -> None:
    found = histogram([torch.ones(3), torch.zeros(2, 2)], step=0)
    assert sum(found.counts) == 4
    assert found.rms == 0.0


def test_weights_that_are_nowhere_finite_are_told() -> None:
    found = histogram([torch.full((2, 2), torch.nan)], step=0)
    assert (sum(found.counts), found.n_not_finite) == (0, 4)
