from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.errors import UsageError
from tools.training import checkpoint
from tools.training.learner import Learner
from tools.training.loop import train
from tools.training.train_settings import TrainSettings

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

SETTINGS = TrainSettings(
    n_steps=40, rate=0.1, n_warm_up=1, weight_decay=0.0, largest_gradient=10.0, checkpoint_every=4,
    validate_every=2, patience=3,
)  # fmt: skip


class Distance(Learner):
    """Learns one number; the loss is how far from it the batch's is."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 1, bias=False))
        nn.init.zeros_(self.network.weight)

    def loss(self, batch: float, *, progress: float) -> Tensor:
        return (self.network.weight - batch).abs().sum()


class Numbers:
    n_batch = 1

    def __init__(self, number: float, *, killed_at: int | None = None) -> None:
        self.number, self.killed_at = number, killed_at

    def batch(self, step: int, *, progress: float, rows: slice | None = None) -> float:
        if step == self.killed_at:
            raise KeyboardInterrupt
        return self.number


def run(folder: Path, *, killed_at: int | None = None) -> tuple[Distance, list[dict[str, float]]]:
    learner = Distance()
    train(
        learner, Numbers(2.0, killed_at=killed_at), SETTINGS, folder=folder, identity="numbers",
        validation=Numbers(0.75),
    )  # fmt: skip
    rows = (folder / checkpoint.METRICS).read_text().splitlines()
    return learner, [json.loads(row) for row in rows]


def test_stops_when_validation_gets_no_better_and_keeps_the_best(tmp_path: Path) -> None:
    learner, rows = run(tmp_path)
    found = {row["step"]: row["validation_loss"] for row in rows if "validation_loss" in row}
    best = min(found, key=lambda step: found[step])
    assert max(found) == best + 2 * SETTINGS.patience < SETTINGS.n_steps
    assert abs(float(learner.network.weight.detach()) - 0.75) == pytest.approx(found[best])
    assert not learner.training


@pytest.mark.parametrize("killed_at", [6, 9, 13])
def test_a_killed_training_stops_where_it_would_have(tmp_path: Path, killed_at: int) -> None:
    whole, rows = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", killed_at=killed_at)
    resumed, resumed_rows = run(tmp_path / "killed")
    torch.testing.assert_close(resumed.network.weight, whole.network.weight, atol=0, rtol=0)
    assert resumed_rows == rows
    again, _ = run(tmp_path / "killed", killed_at=0)
    torch.testing.assert_close(again.network.weight, whole.network.weight, atol=0, rtol=0)


def test_a_figure_that_is_not_measured_cannot_be_monitored(tmp_path: Path) -> None:
    settings = TrainSettings(n_steps=4, validate_every=1, monitor="cer")
    with pytest.raises(UsageError, match="monitor: got 'cer', wanted one of loss"):
        train(
            Distance(), Numbers(1.0), settings, folder=tmp_path, identity="n",
            validation=Numbers(1.0),
        )  # fmt: skip


def test_there_must_be_something_to_validate_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="data.held_out"):
        train(Distance(), Numbers(1.0), SETTINGS, folder=tmp_path, identity="n")


def test_weights_are_kept_at_the_minutes_asked_for(tmp_path: Path) -> None:
    settings = TrainSettings(n_steps=4)
    train(
        Distance(), Numbers(1.0), settings, folder=tmp_path, identity="n", keep_at_min=(1e-9, 99.0)
    )
    (kept,) = tmp_path.glob(checkpoint.KEPT)
    assert np.isfinite(float(checkpoint.read_tensors(kept)["weight"]))
