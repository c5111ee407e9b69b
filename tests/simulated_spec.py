"""The pipeline of a network that hears the simulated person, for tests of examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.paradigm import ALPHABET, CHANNELS
from tools.training.head import Heard
from tools.training.heads import head_of
from tools.training.recipe import read_recipe

if TYPE_CHECKING:
    from pipeline.spec import PipelineSpec


def simulated_spec() -> PipelineSpec:
    """Return that of the recipe gru-ctc, without a language model."""
    recipe = read_recipe("gru-ctc")
    heard = Heard(250.0, CHANNELS, tuple(ALPHABET), has_lm=False)
    return head_of(recipe.family).spec(recipe, heard)
