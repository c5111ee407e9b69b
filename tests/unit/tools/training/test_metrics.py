from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from tools.training.fabric import make_fabric
from tools.training.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path


def test_figures_are_written_many_at_a_time_and_go_on_from_a_step(tmp_path: Path) -> None:
    fabric, path = make_fabric("32"), tmp_path / "made" / "m.jsonl"
    metrics = Metrics(path, step=0)
    metrics.add({"loss": torch.tensor(0.5)}, step=1, rate=0.1)
    metrics.add({"loss": torch.tensor(0.25), "odd": 3.0}, step=2)
    assert not path.exists()
    rows = metrics.flush(fabric)
    assert rows == [{"step": 1, "rate": 0.1, "loss": 0.5}, {"step": 2, "loss": 0.25, "odd": 3.0}]
    assert [json.loads(line) for line in path.read_text().splitlines()] == rows
    assert metrics.flush(fabric) == []
    resumed = Metrics(path, step=1)
    resumed.add({"loss": torch.tensor(0.125)}, step=2)
    resumed.flush(fabric)
    assert [json.loads(line)["loss"] for line in path.read_text().splitlines()] == [0.5, 0.125]
    fresh = Metrics(path, step=0)
    fresh.add({"loss": 1.0}, step=1)
    fresh.flush(fabric)
    assert path.read_text().count("\n") == 1


def test_a_figure_that_is_no_number_is_null(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "m.jsonl", step=0)
    metrics.add({"gradient": torch.tensor(torch.nan)}, step=1)
    (row,) = metrics.flush(make_fabric("32"))
    assert row["gradient"] != pytest.approx(0.0)
    assert json.loads((tmp_path / "m.jsonl").read_text()) == {"step": 1, "gradient": None}
