from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.overrides import TorchFunctionMode

from pipeline.errors import UsageError
from tests.unit.tools.training.stacks import Attending, RandomRows, Regression, healthy
from tools.training.diagnostics.diagnostics import make_observer
from tools.training.diagnostics.settings import DiagnosticsSettings
from tools.training.loop import train
from tools.training.observer import Observer
from tools.training.recipe import read_recipe
from tools.training.train_settings import TrainSettings

SETTINGS = TrainSettings(n_steps=4, checkpoint_every=3)
ALL = DiagnosticsSettings(
    show=("gradients", "weights", "attention", "resources"), every=1, n_looks=2, batch_sizes=(1, 4)
)


class Dropped(RandomRows):
    """Rows of one example are its frames: all of them, whatever was asked for."""

    def batch(self, step, *, progress, rows=None):  # type: ignore[no-untyped-def]
        return super().batch(step, progress=progress)


def run(folder: Path, observer: Observer | None) -> dict[str, torch.Tensor]:
    learner = Regression(Attending())
    given = {"folder": folder, "identity": "diagnosed", "observer": observer}
    train(learner, Dropped(), SETTINGS, **given)
    return learner.network.state_dict()


def test_nothing_is_looked_at_unless_it_is_asked_for(tmp_path: Path) -> None:
    recipe = read_recipe("gru-ctc")
    observer = make_observer(recipe.diagnostics, tmp_path / "d")
    assert type(observer) is Observer
    assert not (tmp_path / "d").exists()


def test_who_does_not_look_touches_nothing() -> None:
    class Untouchable:
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(name)

    observer = Observer()
    observer.on_start(0, Untouchable())  # type: ignore[arg-type]
    observer.did("forward")
    for hear in (observer.on_backward, observer.on_step, observer.on_save, observer.on_end):
        assert hear(1) is None
    assert observer.alarms == ()


def test_without_diagnostics_there_is_no_hook_and_no_further_call_of_torch(tmp_path: Path) -> None:
    calls: list[str] = []

    class Counting(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            calls.append(getattr(func, "__name__", str(func)))
            return func(*args, **(kwargs or {}))

    class Hookless(Attending):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for module in self.modules():
                assert not module._forward_hooks
                assert not module._forward_pre_hooks
            for parameter in self.parameters():
                assert not parameter._backward_hooks
                assert not parameter._post_accumulate_grad_hooks
            return super().forward(x)

    counts = []
    off = make_observer(DiagnosticsSettings(), tmp_path)
    for name, observer in (("first", None), ("none", None), ("off", off)):
        calls.clear()
        with Counting():
            train(
                Regression(Hookless()), Dropped(), SETTINGS,
                folder=tmp_path / name, identity="same", observer=observer,
            )  # fmt: skip
        counts.append(sorted(calls))
    assert counts[1] == counts[2]  # torch sets itself up in the first


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all diagnostics of a training."""
    folder = tmp_path_factory.mktemp("shown")
    save_file(run(folder / "t", make_observer(ALL, folder)), folder / "end.safetensors")
    return folder


def test_diagnostics_change_no_weight(tmp_path: Path, shown: Path) -> None:
    plain = run(tmp_path / "plain", None)
    diagnosed = load_file(shown / "end.safetensors")
    assert all(torch.equal(diagnosed[name], tensor) for name, tensor in plain.items())


def test_everything_asked_for_is_there(shown: Path) -> None:
    names = {"gradients", "weights", "attention", "resources"}
    assert {path.stem for path in shown.glob("*.json")} == names
    pictures = {path.stem for path in shown.glob("*.png")}
    assert pictures == names | {"attention_heads", "batch_sizes"}
    for path in shown.glob("*.png"):
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert int.from_bytes(data[16:20], "big") == 1200
    assert not list(shown.glob(".*"))


def test_the_forms_of_the_files_are_stable(shown: Path) -> None:
    weights = json.loads((shown / "weights.json").read_bytes())
    assert set(weights) == {"v", "parts"}
    assert [h["step"] for h in weights["parts"]["mix"]] == [0, 2, 4]
    assert set(weights["parts"]["mix"][0]) == {
        "step", "low", "high", "counts", "rms", "n_not_finite",
    }  # fmt: skip
    attention = json.loads((shown / "attention.json").read_bytes())
    assert set(attention) == {"v", "stride", "looks_back", "looks"}
    assert [look["step"] for look in attention["looks"]] == [0, 2, 4]
    assert set(attention["looks"][0]) == {"step", "maps", "entropy"}
    resources = json.loads((shown / "resources.json").read_bytes())
    assert set(resources) == {"v", "device", "n_batch", "tensors_mib", "rows", "batch_sizes"}
    assert [row["step"] for row in resources["rows"]] == list(range(1, 5))
    assert set(resources["rows"][0]["ms"]) == {
        "data", "forward", "backward", "optimiser", "rest", "diagnostics",
    }  # fmt: skip


def test_a_network_without_attention_has_no_maps(tmp_path: Path) -> None:
    observer = make_observer(DiagnosticsSettings(show=("attention",)), tmp_path / "shown")
    given = {"folder": tmp_path / "t", "identity": "none", "observer": observer}
    train(healthy(), RandomRows(), SETTINGS, **given)
    assert not (tmp_path / "shown").exists()


def test_refuses_a_batch_size_above_the_recipe_s(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="batch_sizes: got 9, wanted at most"):
        run(tmp_path, make_observer(DiagnosticsSettings(batch_sizes=(9,)), tmp_path))
