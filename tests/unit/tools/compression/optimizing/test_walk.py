"""Which steps a walk tries, and what each is made of: training only for what training can mend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from tests.unit.tools.compression.optimizing.test_choice import figures, loss, speed
from tools.compression.optimizing import walk as walks
from tools.compression.optimizing.walk import Limits, Step, Stored, Walker

if TYPE_CHECKING:
    from pathlib import Path

    from tools.compression.guard import Loss
    from tools.compression.optimizing.walk import Walk
    from tools.compression.race import Speed

SIZES = {"int8": 250, "int8-trained": 250, "mixed": 200, "float16": 500}


class FakeExam:
    """Knows how many more errors every step makes; none where nothing is said."""

    unit = "characters"

    def __init__(self, losses: dict[str, float]) -> None:
        self.losses, self.names = losses, list[str]()

    def hear(self, paths: dict[str, Path]) -> None:
        self.names += paths

    def loss(self, key: str, *, most: float) -> Loss:
        return loss(self.losses.get(key.split("/")[1], 0.0), most=most)


class FakeRace:
    """Knows how long each step takes beside the original, a half where nothing is said."""

    def __init__(self, ratios: dict[str, float]) -> None:
        self.ratios = ratios

    def speed(self, name: str, *, against: str) -> Speed:
        return speed(self.ratios.get(name, 0.5) if against == "original" else 0.9)


class Tried:
    """A walk of a network of which nothing is removed, and what was asked for on the way."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.made: list[tuple[str, str]] = []
        self.before: dict[str, str] = {}

    def walk(
        self,
        losses: dict[str, float],
        ratios: dict[str, float] | None = None,
        *,
        is_known: bool = True,
    ) -> Walk:
        def race(paths: dict[str, Path], *_: Any, **__: Any) -> FakeRace:
            _, before, name = paths
            self.before[name] = paths[before].stem
            return FakeRace(ratios or {})

        def rounded(*_: Any, name: str) -> Any:
            self.made.append(("training", name))
            return self.recoder("trained")

        for name, fake in {
            "race": race,
            "rounded": rounded,
            "Recoder": lambda *_: self.recoder("plain"),
            "write_bundle": lambda *_: "digest",
        }.items():
            self.patch.setattr(walks, name, fake)
        whole: Any = SimpleNamespace(files={"model.onnx": bytes(1000)})
        ground: Any = SimpleNamespace(
            exam=lambda: FakeExam(losses), windows=lambda: np.zeros((1, 1, 1), np.float32)
        )
        prunable: Any = object() if is_known else None
        original = Stored(self.folder / "original.eegb", whole)
        return Walker(original, ground, self.folder, Limits(0.02, 20, 200), prunable).walk({})

    def recoder(self, kind: str) -> Any:
        def made(step: str) -> Any:
            self.made.append((kind, step))
            return SimpleNamespace(), {"model.onnx": bytes(SIZES[step])}

        return SimpleNamespace(made=made)


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tried:
    return Tried(tmp_path, monkeypatch)


def names(walk: Walk) -> list[str]:
    return [step.name if step.is_kept else f"no {step.name}" for step in walk.steps]


def test_what_8_bits_cost_is_won_back_by_training_and_bits_are_mixed_of_that(tried: Tried) -> None:
    found = tried.walk({"int8": 0.05, "int8-trained": 0.001})
    assert names(found) == ["no int8", "int8-trained", "mixed"]
    assert tried.made == [
        ("plain", "int8"),
        ("training", "whole-int8-trained"),
        ("trained", "int8"),
        ("trained", "mixed"),
    ]
    assert tried.before == {
        "int8": "original",
        "int8-trained": "original",
        "mixed": "int8-trained",
    }


def test_8_bits_that_cost_nothing_are_not_trained_for(tried: Tried) -> None:
    assert names(tried.walk({})) == ["int8", "mixed"]
    assert tried.made == [("plain", "int8"), ("plain", "mixed")]


def test_where_training_does_not_help_weights_are_stored_in_16_bits(tried: Tried) -> None:
    found = tried.walk({"int8": 0.05, "int8-trained": 0.03})
    assert names(found) == ["no int8", "no int8-trained", "float16"]
    assert tried.made[-1] == ("plain", "float16")
    assert tried.before["float16"] == "original"


@pytest.mark.parametrize(
    ("losses", "ratios"), [({}, {"int8": 1.2}), ({"int8": 0.05}, {"int8": 1.2})]
)
def test_nobody_trains_for_8_bits_that_are_slower(
    tried: Tried, losses: dict[str, float], ratios: dict[str, float]
) -> None:
    assert names(tried.walk(losses, ratios)) == ["no int8", "float16"]


def test_a_network_that_nobody_knows_cannot_be_trained(tried: Tried) -> None:
    assert names(tried.walk({"int8": 0.05}, is_known=False)) == ["no int8", "float16"]


def test_a_walk_that_was_made_is_read_not_made_again(tried: Tried) -> None:
    first = tried.walk({"int8": 0.05})
    tried.made.clear()
    assert tried.walk({}) == first
    assert tried.made == []


def test_a_step_that_is_no_smaller_is_not_kept_for_its_size(
    tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "mixed", SIZES["int8"])
    found = tried.walk({})
    assert [step.refused for step in found.steps] == [None, "no smaller than the step before"]


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"verdict": "cannot tell"}, True),
        ({"verdict": "cannot tell", "more": 0.0}, False),  # there is nothing to win back
        ({"verdict": "cannot tell", "n_texts": 9}, False),
        ({"verdict": "cannot tell", "n_units": 150}, False),  # even no difference tells nothing
        ({"verdict": "cannot tell", "original": 0.7}, False),
    ],
)
def test_training_is_tried_only_where_these_texts_could_tell_that_it_helped(
    changes: dict[str, Any],
    may: bool,  # noqa: FBT001 - what pytest gives
) -> None:
    made = figures(0.03, 0.5, 250)
    made = msgspec.structs.replace(made, loss=msgspec.structs.replace(made.loss, **changes))
    step = Step(name="int8", claim="faster", figures=made, refused="no")
    assert step.may_be_trained is may
    assert not msgspec.structs.replace(step, refused=None).may_be_trained
    assert not msgspec.structs.replace(step, figures=None).may_be_trained
