from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from models.families import network_class
from models.network import CtcNetwork
from models.seq2seq import Seq2SeqNetwork
from pipeline.errors import UsageError
from tools.training.head import Heard, network_settings
from tools.training.heads import head_of
from tools.training.recipe import parse_changes, read_recipe, recipe_names

if TYPE_CHECKING:
    from pathlib import Path

HEARD = Heard(250.0, ("C3", "C4"), ("a", "b"), has_lm=False)

OF_TEXT = [
    name
    for name in recipe_names()
    if issubclass(network_class(read_recipe(name).family), (CtcNetwork, Seq2SeqNetwork))
]


def test_recipes_ship() -> None:
    assert {"gru-ctc", "conformer-ctc", "recurrent", "transformer"} <= set(OF_TEXT)


@pytest.mark.parametrize("name", OF_TEXT)
def test_every_recipe_that_ships_can_be_followed(name: str) -> None:
    recipe = read_recipe(name)
    head = head_of(recipe.family)
    spec = head.spec(recipe, HEARD)
    assert spec.vocabulary == ("", "a", "b")
    assert head.learner(recipe, HEARD).network.settings == network_settings(recipe, HEARD)


def test_seconds_become_samples_of_the_data() -> None:
    recipe = read_recipe("gru-ctc")
    at = {
        rate_hz: network_settings(recipe, Heard(rate_hz, ("C3", "C4"), ("a",), has_lm=False))
        for rate_hz in (250.0, 512.0)
    }
    assert (at[250.0].patch_samples, at[512.0].patch_samples) == (20, 41)
    assert (at[250.0].n_inputs, at[250.0].n_symbols) == (2, 2)
    spec = head_of(recipe.family).spec(recipe, Heard(512.0, ("C3", "C4"), ("a",), has_lm=False))
    assert spec.window.hop_samples == 41


def test_without_a_language_model_the_decoder_weighs_none() -> None:
    recipe = read_recipe("gru-ctc")
    head = head_of(recipe.family)
    assert head.spec(recipe, HEARD).decoder.lm_weight == 0.0
    heard = Heard(250.0, ("C3", "C4"), ("a", "b"), has_lm=True)
    assert head.spec(recipe, heard).decoder.lm_weight == recipe.decoder["lm_weight"]


def test_changes_are_toml_or_else_text() -> None:
    texts = ["training.n_steps=5", "decoder.method=greedy", "signal.bands=[{low_hz=1.0}]"]
    changes = parse_changes(texts)
    assert changes["training.n_steps"] == 5
    recipe = read_recipe("gru-ctc", changes)
    assert recipe.decoder["method"] == "greedy"
    assert recipe.signal.bands[0].low_hz == 1.0
    assert recipe.training.n_steps == 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"famly": "x"}, "gru-ctc.toml: famly: no such key"),
        ({"training.rate": "fast"}, "gru-ctc.toml: training.rate: expected `float`, got `str`"),
        ({"data.augment.noise": -1.0}, "data.augment: noise: got -1.0"),
        ({"data.n_batch": 0}, "data: n_batch: got 0"),
        ({"family.x": 1}, "family is no table"),
        ({"training.rate": float("nan")}, "rate: got nan"),
    ],
)
def test_a_wrong_key_or_value_is_told_with_its_path(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_recipe("gru-ctc", changes)
    assert said in str(caught.value)


def test_a_family_that_is_not_there_is_refused() -> None:
    recipe = read_recipe("gru-ctc", {"family": "gru"})
    with pytest.raises(UsageError, match="wanted one of .*gru-ctc"):
        head_of(recipe.family)
    with pytest.raises(UsageError, match="wanted a CtcNetwork"):
        head_of("pipeline.spec:CtcDecoder")


def test_a_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for data in (b"family = ", b"\xff", b"#" * (2 << 20)):
        path.write_bytes(data)
        with pytest.raises(UsageError, match="mine.toml: cannot be read"):
            read_recipe(str(path))
