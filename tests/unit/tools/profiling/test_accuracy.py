from __future__ import annotations

from typing import Any

import msgspec
import pytest

from models.manifest import Evaluation, Manifest, ModelFile, Provenance, Tensor
from tests.bundles import ctc_spec
from tools.profiling.accuracy import accuracy_of

TRAINED = {
    "decoder": {"cer": 0.02, "cer_95": [0.01, 0.03]},
    "control": {"cer": 1.0, "cer_95": [1.0, 1.0]},
}
TRIALS = {"accuracy": 0.974, "interval_95": [0.94, 0.989], "chance": 0.031}
EVALUATED = {
    "primary": {"error": "characters", "estimate": 0.03},
    "interval": {"primary": [0.02, 0.04]},
    "controls": {
        "inputs": {"white noise": {"error": 0.8}},
        "baselines": {"constant": {"error": 0.72}},
    },
}


def manifest(scores: dict[str, Any], *, data: dict[str, str] | None = None) -> Manifest:
    tensor = Tensor(name="t", shape=(1, 20, 4))
    return Manifest(
        format_version=1,
        name="m",
        created="",
        pipeline=ctc_spec(),
        model=ModelFile(input=tensor, output=tensor),
        files={},
        provenance=Provenance(command="", data=data or {}),
        evaluation=Evaluation(scores=scores),
    )


def test_a_training_stands_beside_its_control_and_says_what_is_simulated() -> None:
    found = accuracy_of(manifest(TRAINED, data={"simulated": "settings"}))
    assert found is not None
    assert found.told() == (
        "CER 2.0% [1.0%, 3.0%]; without its signal 100.0%; SIMULATED; not evaluated"
    )


def test_trials_stand_beside_chance() -> None:
    found = accuracy_of(manifest(TRIALS))
    assert found is not None
    assert found.told() == "right 97.4% [94.0%, 98.9%]; chance 3.1%; not evaluated"


def test_an_evaluation_goes_before_what_training_said_and_stands_beside_its_best_control() -> None:
    found = accuracy_of(manifest({**TRAINED, "evaluation": EVALUATED}))
    assert found is not None
    assert (found.value, found.beside) == (0.03, 0.72)
    assert found.beside_is == "best control (constant)"
    assert msgspec.json.decode(msgspec.json.encode(found))["is_simulated"] is False


@pytest.mark.parametrize("scores", [{}, {"decoder": {}}, {"accuracy": "much"}, {"evaluation": []}])
def test_what_nobody_wrote_is_not_made_up(scores: dict[str, Any]) -> None:
    assert accuracy_of(manifest(scores)) is None
