from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.profiling.bottleneck import find_bottleneck, speed_up

LAYERS = {"filters": 20.0, "gru layer 1": 22.0, "gru layer 2": 58.0}


def test_the_model_and_its_slowest_layer_are_named_with_what_they_could_bring() -> None:
    found = find_bottleneck({"filter": 0.2, "model": 0.71, "decode": 0.09}, LAYERS)
    assert (found.stage, found.layer) == ("model", "gru layer 2")
    assert found.share == pytest.approx(0.71)
    assert found.layer_share == pytest.approx(0.58)
    assert found.most == pytest.approx(1 / 0.29)
    assert found.most_layer == pytest.approx(1 / (1 - 0.71 * 0.58))
    assert found.sentence == (
        "model takes 71% of a hop (0.71 of 1 ms), of it gru layer 2 58%; without that layer a hop"
        " could be 1.7 times as fast at most, without the model 3.4 times as fast"
    )


@pytest.mark.parametrize("slow", ["filter", "decode", "publish", "other"])
def test_another_stage_is_named_and_a_faster_model_is_not_the_advice(slow: str) -> None:
    stages = dict.fromkeys(("filter", "model", "decode", "publish", "other"), 1.0) | {slow: 6.0}
    found = find_bottleneck(stages, LAYERS)
    assert found.stage == slow
    assert found.sentence.startswith(f"{slow} takes 60% of a hop (6 of 10 ms), the model 10%;")
    assert "a faster model at most 1.1 times as fast" in found.sentence


def test_without_a_recording_the_model_is_all_there_is() -> None:
    found = find_bottleneck({}, LAYERS)
    assert found.stage == "model"
    assert found.most_layer == pytest.approx(1 / 0.42)
    assert found.sentence.startswith("gru layer 2 takes 58% of a call of the model;")
    assert found.slowest_stage is None


def test_the_longest_hops_may_have_another_one() -> None:
    stages = {"filter": 0.1, "model": 0.8, "decode": 0.1}
    found = find_bottleneck(stages, LAYERS, slowest_ms={"model": 1.0, "decode": 9.0})
    assert (found.stage, found.slowest_stage) == ("model", "decode")
    assert found.sentence.endswith("; in the slowest 1 % of hops (10 ms) decode takes 90%")


@given(st.floats(0.0, 1.0))
def test_what_can_be_won_is_bounded_by_what_is_left(share: float) -> None:
    assert 1.0 <= speed_up(share) <= 1e6
    if share < 0.999:
        assert speed_up(share) * (1.0 - share) == pytest.approx(1.0)


def test_a_part_that_is_all_there_is_has_no_bound() -> None:
    assert "any number of times" in find_bottleneck({}, {"only": 3.0}).sentence
