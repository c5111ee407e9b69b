from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
import torch

from tests.unit.tools.training.stacks import RandomRows, Regression, exploding, healthy, vanishing
from tools.training.diagnostics import plots
from tools.training.diagnostics.gradients import N_PATIENCE, GradientWatch, find_alarms, part_of
from tools.training.diagnostics.record import CEILING, Alarm, GradientRecord
from tools.training.loop import train
from tools.training.train_settings import TrainSettings

if TYPE_CHECKING:
    from pathlib import Path

STEPS = list(range(40))


def record_of(learner: Regression, folder: Path, *, n_steps: int = 12) -> GradientRecord:
    watch = GradientWatch(folder / "gradients.json", every=2)
    settings = TrainSettings(n_steps=n_steps, rate=1e-4, checkpoint_every=4)
    train(learner, RandomRows(), settings, folder=folder / "t", identity="stack", observer=watch)
    return msgspec.json.decode((folder / "gradients.json").read_bytes(), type=GradientRecord)


@pytest.fixture(autouse=True)
def no_picture(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw in the one test that looks at the picture."""
    if request.function is not test_the_picture_is_written:
        monkeypatch.setattr(plots, "plot_gradients", lambda *_: None)


def test_a_healthy_stack_gives_no_alarm(tmp_path: Path) -> None:
    record = record_of(healthy(), tmp_path)
    assert not record.alarms
    assert record.steps == (1, 3, 5, 7, 9, 11)
    assert list(record.parts) == [f"layers.{k}" for k in range(14)]


def test_a_stack_of_sigmoids_is_found_vanishing_at_its_first_layers(tmp_path: Path) -> None:
    record = record_of(vanishing(), tmp_path)
    assert {a.kind for a in record.alarms} == {"vanishing"}
    assert "layers.0" in {a.part for a in record.alarms}
    assert "layers.13" not in {a.part for a in record.alarms}


def test_a_stack_of_large_weights_is_found_exploding(tmp_path: Path) -> None:
    record = record_of(exploding(), tmp_path)
    assert {a.kind for a in record.alarms} == {"exploding"}
    assert {a.rule for a in record.alarms} == {"ceiling"}


def test_a_gradient_that_is_not_finite_is_told_at_once(tmp_path: Path) -> None:
    learner = exploding()
    with torch.no_grad():
        learner.network.layers[0].weight[0, 0] = torch.inf
    record = record_of(learner, tmp_path, n_steps=3)
    assert {a.rule for a in record.alarms} == {"not finite"}
    assert record.alarms[0].step == 1
    assert None in record.parts["layers.0"].norm


def test_the_picture_is_written(tmp_path: Path) -> None:
    record_of(vanishing(), tmp_path)
    assert (tmp_path / "gradients.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("values", "kind", "rule"),
    [
        ([1.0] * 30 + [200.0] * 10, "exploding", "surge"),
        ([1.0] * 30 + [2 * CEILING] * 10, "exploding", "ceiling"),
        ([1.0] * 30 + [1e-3] * 10, "vanishing", "collapse"),
        ([1e-7] * 40, "vanishing", "share"),
        ([0.0] * 40, "vanishing", "floor"),
    ],
)
def test_every_rule_can_be_broken(values: list[float], kind: str, rule: str) -> None:
    (alarm,) = find_alarms(STEPS, {"a": np.array(values), "b": np.ones(40)})
    assert (alarm.part, alarm.kind, alarm.rule) == ("a", kind, rule)
    first = next(k for k, v in enumerate(values) if v != values[0]) if len(set(values)) > 1 else 0
    assert alarm.step == first + N_PATIENCE - 1


def test_a_gain_that_is_taken_back_may_have_no_gradient() -> None:
    relative = {"norm": np.full(40, 1e-9), "head": np.ones(40)}
    assert find_alarms(STEPS, relative, vectors=frozenset({"norm"})) == ()
    assert find_alarms(STEPS, relative) != ()
    relative["norm"][5] = np.inf
    (alarm,) = find_alarms(STEPS, relative, vectors=frozenset({"norm"}))
    assert alarm.rule == "not finite"


def test_what_lasts_for_less_than_patience_is_no_alarm() -> None:
    values = np.ones(40)
    values[20 : 20 + N_PATIENCE - 1] = 1e6
    assert find_alarms(STEPS, {"a": values}) == ()


def test_goes_on_from_the_record_of_a_killed_training(tmp_path: Path) -> None:
    path, rows = tmp_path / "gradients.json", RandomRows()
    settings = TrainSettings(n_steps=12, rate=1e-4, checkpoint_every=4)

    class Killed(RandomRows):
        def batch(self, step: int, *, progress: float, rows: slice | None = None):  # type: ignore[no-untyped-def]
            if step == 7:
                raise KeyboardInterrupt
            return super().batch(step, progress=progress, rows=rows)

    given = {"folder": tmp_path / "t", "identity": "stack"}
    with pytest.raises(KeyboardInterrupt):
        train(healthy(), Killed(), settings, observer=GradientWatch(path, every=1), **given)
    train(healthy(), rows, settings, observer=GradientWatch(path, every=1), **given)
    whole = tmp_path / "whole.json"
    given["folder"] = tmp_path / "w"
    train(healthy(), rows, settings, observer=GradientWatch(whole, every=1), **given)
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("gru.weight_ih_l2", "gru.layer 2"),
        ("blocks.1.attention.mix.weight", "blocks.1"),
        ("head.weight", "head"),
        ("distance", "distance"),
        ("encoder.stack.3.0.weight", "encoder.stack.3"),
    ],
)
def test_parts_are_layers_blocks_or_modules(name: str, part: str) -> None:
    assert part_of(name) == part


def test_the_form_of_the_record_is_stable() -> None:
    assert GradientRecord.__struct_fields__ == ("v", "steps", "parts", "alarms")
    assert Alarm.__struct_fields__ == ("kind", "part", "step", "rule", "value", "limit")
